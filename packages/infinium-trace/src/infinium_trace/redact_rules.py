"""Rules for secrets: the public formats of providers' keys, and the names to which secrets are assigned.

The work of every pattern is linear in the text: it is tried only where its literal occurs, each repeat is bounded or
possessive, and a repeat that can backtrack contains no other (`tests/test_redact_linear.py` checks the patterns).

To add a key format, add a row to `provider_keys.json` (known prefix) or `ANCHORED` (known surroundings) and a sample to
`tests/redact_corpus.py`.
"""

from infinium_trace.redact_data import load

_W = "[A-Za-z0-9_-]"  # base64url
_A = "[A-Za-z0-9]"
# an argument of a call, and a string that is the next one
_ARGUMENT = r"(?:\{[^{}\n]{0,400}+\}|\"[^\"\n]{0,400}+\"|'[^'\n]{0,400}+'|[^,(){}\"'\n]{1,200}+),\s{0,20}+"
_STRING = r"[bru]{0,2}[\"'`]([^\"'`\n]{4,512}+)[\"'`]"

PROVIDERS = tuple((kind, prefixes, rest) for kind, prefixes, rest in load("provider_keys.json")["keys"])
"""Keys with a known prefix: kind, prefixes, pattern of the rest."""

WEAK_PREFIXES = frozenset(
    {"openai-key", "supabase-key", "circleci-token", "newrelic-key", "slack-token", "vault-token"}
)
"""Kinds whose prefix also starts plain names (`sk-folding-cube…`). The rest of the key must look random."""

ANCHORED: tuple[tuple[str, bytes, int, str], ...] = (
    # kind, literal (lower case), characters of the match before it, pattern (group 1, if any, is the secret)
    ("azure-client-secret", b"q~", 4, rf"[A-Za-z0-9_~.-]{{3}}\dQ~[A-Za-z0-9_~.-]{{31,34}}+(?!{_A})"),
    ("azure-sas", b"sig=", 1, r"[?&;]sig=([A-Za-z0-9%+/=_-]{40,}+)"),
    ("bearer-token", b"bearer", 0, r"(?i:bearer)(?:[ \t]|%20|\+){1,4}+([A-Za-z0-9._~+/=-]{16,}+)"),
    ("discord-webhook", b"webhook", 5, rf"/api/webhooks/\d{{16,20}}/({_W}{{50,}}+)"),
    (
        "mailchimp-key",
        b"-us",
        32,
        rf"(?:(?<!{_A})|(?<=\\[nrt])|(?<=%[0-9A-F]{{2}}))[0-9a-f]{{32}}-us\d{{1,2}}(?!{_A})",
    ),
    (
        "netrc-password",
        b"machine",
        0,
        r"machine\s{1,8}+\S{1,128}+\s{1,8}+login\s{1,8}+\S{1,128}+\s{1,8}+password\s{1,8}+(\S++)",
    ),
    ("presigned-url", b"signature=", 0, r"(?i:signature)=([0-9a-fA-F]{64,}+|[A-Za-z0-9%+/]{40,}+)"),
    (
        "slack-webhook",
        b"hooks.slack.com/",
        0,
        r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9_/-]{20,}+)",
    ),
    ("teams-webhook", b"webhook", 9, r"/(?i:IncomingWebhook)/([0-9a-f]{32}/[0-9a-f-]{36}\S{0,60}+)"),
    ("terraform-token", b".atlasv1.", 14, rf"{_A}{{14}}\.atlasv1\.{_W}{{40,}}+"),
    ("url-password", b"://", 0, r"://[^\s/?#:@\"'<>\\`]{0,128}+:([^\s/?#\"'<>\\`]{1,256})@"),
    ("url-password", b":thin:", 0, r":thin:[^\s/@:]{1,64}+/([^\s/@]{3,256}+)@"),
    ("url-token", b"://", 0, r"://([A-Za-z0-9_.-]{20,256}+)@"),
    ("curl-password", b"-us", 1, r"--user[ \t=]{1,3}[\"']?[^\s:\"'$]{1,99}+:([^\s\"']{3,}+)"),
    ("curl-password", b"-us", 7, r"--proxy-user[ \t=]{1,3}[\"']?[^\s:\"'$]{1,99}+:([^\s\"']{3,}+)"),
    ("secure-string", b"securestring", 0, r"(?i:securestring)(?:[ ]-String)?[ ][\"']([^\"'\n]{4,}+)"),
    ("htpasswd", b"{plain}", 0, r"(?i:\{plain\})(\S{4,}+)"),
    ("pgpass", b":5432:", 0, r":5432:[^\s:]{1,64}+:[^\s:]{1,64}+:([^\s:/@]{4,}+)"),
    ("npm-auth", b"auth", 1, r"(?<![A-Za-z0-9])_auth=[\"']?([A-Za-z0-9+/]{8,}+={0,2})"),
    ("ssm-value", b"securestring", 0, r"(?i:securestring)[^\n]{0,200}?--value[ =][\"']?([^\s\"']{4,}+)"),
    ("basic-auth", b"basic", 0, r"(?i:basic)(?:[ \t]|%20){1,4}+([A-Za-z0-9+/_-]{8,}+={0,2})"),
    ("docker-auth", b"auth", 1, r"\"auth\\{0,3}\"[ \t]{0,4}+:[ \t]{0,4}+\\{0,3}\"([A-Za-z0-9+/]{8,}+={0,2})"),
    ("password", b"auth", 0, rf"auth=\({_ARGUMENT}{_STRING}"),
    ("password", b"pdo(", 0, rf"(?i:pdo)\({_ARGUMENT}{_ARGUMENT}{_STRING}"),
    ("password", b"mysqli", 0, rf"mysqli(?:_connect|_real_connect)?\({_ARGUMENT}{_ARGUMENT}{_STRING}"),
    ("password", b"hmac", 0, rf"(?i:hmac)(?:\({_ARGUMENT}|\.new\((?:key=)?){_STRING}"),
    ("password", b"jwt.", 0, rf"(?i:jwt)\.(?:sign|encode|verify|decode)\({_ARGUMENT}{_STRING}"),
    ("putty-key", b"private-lines:", 0, r"(?i:private-lines):[ \t]{1,4}+\d{1,3}\s{1,4}+([A-Za-z0-9+/=\s]{40,}+)"),
)
"""Secrets with known surroundings."""

NAMED_CALLS = {
    "secretkeyspec": rf"\({_STRING}",
    "networkcredential": rf"\({_ARGUMENT}{_STRING}",
    "passwordauthentication": rf"\({_ARGUMENT}{_STRING}",
    "usernamepasswordcredentials": rf"\({_ARGUMENT}{_STRING}",
}
"""Functions with a secret argument whose name has a secret's word; the pattern follows the name."""

PEM_BEGIN = r"-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----"
PEM_END = r"-----END [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----"
PEM_BODY = (
    # the rest of the first line; headers; whole lines; the rest of the last line
    r"(?:[\s\\nr\"'+,]{0,40}+[A-Za-z][A-Za-z-]{2,24}:[ ][^\r\n\\]{0,200}+){0,6}+"
    r"(?:[\s\\nr\"',>|#]{0,40}+[A-Za-z0-9+/=]{24,}+)++(?:(?:\s|\\n|\\r){1,8}+[A-Za-z0-9+/=]{1,76}+(?=\s{0,4}\Z|(?<==)))?"
)
PEM_SOLID = r"[A-Za-z0-9+/=]{24}"

GENERIC_KINDS = (
    "own-secret",
    "custom",
    "private-key",
    "password",
    "secret",
    "token",
    "api-key",
    "authorization",
    "cookie",
    "nested",
    "unsearched",
)
KINDS: tuple[str, ...] = tuple(
    sorted({*GENERIC_KINDS, *(kind for kind, *_ in PROVIDERS), *(kind for kind, *_ in ANCHORED)})
)
