# Records an event that starts no worker. It needs no interpreter, and so takes a quarter of the hook's time.
#
# The registered command (hook_command.py) reads this file into the shell that the agent starts, where
#   $h is the hook's home, $e the event's name (with ".user" behind it for a hook of all projects).
# Stdin goes to a file of its own in the session's inbox. The worker adds the file to the session's spool (inbox.py).
# Where anything is in doubt this fails before it has read stdin, and the command runs the hook's program instead.

cd -P . &&  # $PWD is then the path that the program sees
g="$h/traced/$PPID$PWD/.marker" &&  # exists while the session is traced (hook_marker.py)
# The project file and its directory have not changed since the prompt: recording is not paused.
[ "$g/file" -nt "$g/file-" ] && [ "$g/file+" -nt "$g/file" ] &&
[ "$g/folder" -nt "$g/folder-" ] && [ "$g/folder+" -nt "$g/folder" ] &&
[ -O "$g/inbox" ] &&  # no other user has taken the place of the directory
[ -x "$h/python" ] &&  # without the program nothing would remove the marker
umask 077 &&
set -C &&  # create the file: two events never share one, whatever the process id
{
  # The last line tells a complete event from one whose writer was killed.
  cat && echo I3 || {
    echo "- $e could not be written to $g/inbox completely. Is the disk full?" >>"$h/hook.errors"
    cat >/dev/null  # the agent may report a hook as failed that does not read the event
  }
} >"$g/inbox/$e.$$"
