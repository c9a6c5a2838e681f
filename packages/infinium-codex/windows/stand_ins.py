"""C sources of the few programs that the Windows of the tests needs and no registry package brings."""

PYTHON = """
#include <wchar.h>
int Py_Main(int, wchar_t **);
int wmain(int count, wchar_t **arguments) { return Py_Main(count, arguments); }
"""
"""python.exe and pythonw.exe: CPython's own library does everything else."""

PROCESS_RANDOM = """
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE target, SIZE_T size) {
  while (size) {
    ULONG part = size > 0x10000000 ? 0x10000000 : (ULONG)size;
    if (!SystemFunction036(target, part)) return FALSE;
    target += part;
    size -= part;
  }
  return TRUE;
}
"""
"""bcryptprimitives.dll with the one function of Windows 10 that Rust programs import and Wine 8 does not have."""

POWERSHELL = r"""
#include <windows.h>
#include <wchar.h>
int wmain(int count, wchar_t **arguments) {
  static wchar_t line[32768];
  int at = 1;
  while (at < count && _wcsicmp(arguments[at], L"-Command") && _wcsicmp(arguments[at], L"-c")) at++;
  if (at >= count) return 0;
  wcscpy(line, L"cmd.exe /d /s /c \"");
  for (at++; at < count; at++) {
    wchar_t *end = wcschr(arguments[at], L'\n');
    wcscat(line, end && !wcsncmp(arguments[at], L"try {", 5) ? end + 1 : arguments[at]);
    if (at + 1 < count) wcscat(line, L" ");
  }
  wcscat(line, L"\"");
  STARTUPINFOW start = { sizeof start };
  PROCESS_INFORMATION child;
  DWORD code = 1;
  start.dwFlags = STARTF_USESTDHANDLES;
  start.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
  start.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
  start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
  if (!CreateProcessW(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &child)) return 1;
  WaitForSingleObject(child.hProcess, INFINITE);
  GetExitCodeProcess(child.hProcess, &code);
  return code;
}
"""
"""powershell.exe that gives its -Command to cmd.exe. Wine's own one does nothing and reports success.

Codex begins a command with a line `try {…} catch {}` that sets the encoding of its output. This line is left out.
"""
