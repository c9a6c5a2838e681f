"""Secrets and look-alikes in realistic surroundings. The same seed gives the same samples.

No literal here is a key: keys are built from random pieces, in the formats that their providers document.
"""

import base64
import hashlib
import json
import random
import string
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

ALNUM = string.ascii_letters + string.digits
URL64 = ALNUM + "_-"
B64 = ALNUM + "+/"
HEX = "0123456789abcdef"
UPPER = string.ascii_uppercase + string.digits
LOWER = string.ascii_lowercase + string.digits

OWN_SECRET = "own/agent key+" + "=".join(("7f3Q", "zP", "L0x9"))
"""The agent's own secret, with characters that every encoding changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A text and the secret in it (a look-alike has none). Redaction must keep `before` and `after`."""

    kind: str
    text: str
    secret: str = ""
    before: str = ""
    after: str = ""


class Draw(random.Random):
    """A seeded source of random pieces."""

    def of(self, alphabet: str, least: int, most: int | None = None) -> str:
        """Return characters of the alphabet, if possible with a letter and a digit."""
        length = self.randint(least, most or least)
        drawn = "".join(self.choices(alphabet, k=length))
        digits, letters = string.digits in alphabet, alphabet[0].isalpha() or alphabet[-1].isalpha()
        if length >= 12 and digits and letters and (drawn.isdigit() or drawn.isalpha()):
            return self.of(alphabet, length)
        return drawn

    def b64(self, size: int) -> str:
        """Return the base64 of random bytes."""
        return base64.b64encode(self.randbytes(size)).decode()

    def password(self) -> str:
        """Return a password as a person or a generator chooses it: with a digit, usually a special character."""
        word = self.choice(["Tr0ub4dor", "hunter2", "S3cure", "wint3r", "Kx9vQ2mLp7", "pa55phrase", "zebra42", "Qu1et"])
        return word + self.choice(["!", "_", "#", "-", "*", ".", "%", ""]) + self.of(ALNUM, 4, 10)

    def jwt(self, claims: int = 3) -> str:
        """Return a signed token."""

        def part(value: object) -> str:
            return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

        body = {self.of(string.ascii_lowercase, 3): self.of(ALNUM, 8) for _ in range(claims)}
        head = {"alg": self.choice(["HS256", "RS256"]), "typ": "JWT"}
        return f"{part(head)}.{part(body)}.{self.of(URL64, 43, 86)}"


Maker = Callable[[Draw], str]


def _plain(prefix: tuple[str, ...], alphabet: str, least: int, most: int | None = None) -> Maker:
    return lambda draw: "".join(prefix) + draw.of(alphabet, least, most)


KEYS: dict[str, Maker] = {
    "aws-access-key": _plain(("AK", "IA"), string.ascii_uppercase + "234567", 16),
    "aws-session-key": _plain(("AS", "IA"), string.ascii_uppercase + "234567", 16),
    "gcp-api-key": _plain(("AI", "za"), URL64, 35),
    "gcp-oauth-token": _plain(("ya", "29."), URL64, 60, 160),
    "gcp-client-secret": _plain(("GOC", "SPX-"), URL64, 28),
    "github-pat": _plain(("gh", "p_"), ALNUM, 36),
    "github-app": _plain(("gh", "s_"), ALNUM, 36),
    "github-oauth": _plain(("gh", "o_"), ALNUM, 36),
    "github-fine": lambda d: "github" + "_pat_" + d.of(ALNUM, 22) + "_" + d.of(ALNUM, 59),
    "gitlab-pat": _plain(("gl", "pat-"), URL64, 20),
    "gitlab-runner": _plain(("gl", "rt-"), URL64, 20),
    "slack-bot": lambda d: "xo" + "xb-" + d.of("123456789", 12) + "-" + d.of("123456789", 12) + "-" + d.of(ALNUM, 24),
    "slack-user": lambda d: "xo" + "xp-" + "-".join(d.of("123456789", 12) for _ in range(3)) + "-" + d.of(HEX, 32),
    "slack-app": lambda d: "xa" + "pp-1-" + d.of(UPPER, 11) + "-" + d.of("123456789", 13) + "-" + d.of(HEX, 64),
    "stripe-live": _plain(("sk", "_live_"), ALNUM, 24, 99),
    "stripe-restricted": _plain(("rk", "_live_"), ALNUM, 24, 99),
    "stripe-test": _plain(("sk", "_test_"), ALNUM, 24, 99),
    "stripe-webhook": _plain(("wh", "sec_"), ALNUM, 32),
    "openai-old": lambda d: "s" + "k-" + d.of(ALNUM, 20) + "T3Blbk" + "FJ" + d.of(ALNUM, 20),
    "openai-project": lambda d: "s" + "k-proj-" + d.of(URL64, 74) + "T3Blbk" + "FJ" + d.of(URL64, 74),
    "anthropic": lambda d: "s" + "k-ant-api03-" + d.of(URL64, 93) + "AA",
    "openrouter": _plain(("sk", "-or-v1-"), HEX, 64),
    "huggingface": _plain(("h", "f_"), string.ascii_letters, 34),
    "groq": _plain(("gs", "k_"), ALNUM, 52),
    "xai": _plain(("xa", "i-"), ALNUM, 80),
    "perplexity": _plain(("pp", "lx-"), ALNUM, 48),
    "replicate": _plain(("r", "8_"), ALNUM, 37),
    "npm": _plain(("np", "m_"), ALNUM, 36),
    "pypi": lambda d: "py" + "pi-AgEIcHlwaS5vcmc" + d.of(URL64, 90, 150),
    "rubygems": _plain(("ruby", "gems_"), HEX, 48),
    "crates": _plain(("c", "io"), ALNUM, 32),
    "sendgrid": lambda d: "S" + "G." + d.of(URL64, 22) + "." + d.of(URL64, 43),
    "mailgun": _plain(("ke", "y-"), HEX, 32),
    "mailchimp": lambda d: d.of(HEX, 32) + "-u" + "s" + str(d.randint(1, 21)),
    "twilio": _plain(("S", "K"), HEX, 32),
    "telegram": lambda d: d.of("123456789", 10) + ":A" + "A" + d.of(URL64, 33),
    "discord": lambda d: (
        d.choice("MN") + d.of(ALNUM, 25) + "." + d.of(URL64, 6) + "." + d.of(URL64, 37) + d.choice(ALNUM)
    ),
    "digitalocean": _plain(("do", "p_v1_"), HEX, 64),
    "docker": _plain(("dckr", "_pat_"), URL64, 27),
    "shopify": _plain(("shp", "at_"), HEX, 32),
    "square": _plain(("sq0", "atp-"), URL64, 22),
    "databricks": _plain(("da", "pi"), HEX, 32),
    "linear": _plain(("lin", "_api_"), ALNUM, 40),
    "notion": _plain(("nt", "n_"), ALNUM, 46),
    "notion-old": _plain(("sec", "ret_"), ALNUM, 43),
    "figma": _plain(("fi", "gd_"), URL64, 40),
    "grafana-service": lambda d: "gl" + "sa_" + d.of(ALNUM, 32) + "_" + d.of(HEX, 8),
    "grafana-cloud": _plain(("gl", "c_"), B64, 60, 120),
    "newrelic": _plain(("NR", "AK-"), UPPER, 27),
    "sentry": lambda d: "snt" + "rys_" + d.b64(60).rstrip("=") + "_" + d.of(B64, 43),
    "sentry-user": _plain(("snt", "ryu_"), HEX, 64),
    "postman": lambda d: "PM" + "AK-" + d.of(HEX, 24) + "-" + d.of(HEX, 34),
    "vault": _plain(("hv", "s."), URL64, 90, 100),
    "terraform": lambda d: d.of(ALNUM, 14) + ".atlas" + "v1." + d.of(URL64, 67),
    "pulumi": _plain(("pu", "l-"), HEX, 40),
    "doppler": _plain(("dp", ".pt."), ALNUM, 43),
    "age": _plain(("AGE-SEC", "RET-KEY-1"), UPPER, 58),
    "atlassian": lambda d: "ATA" + "TT3xFfGF0" + d.of(URL64, 170) + "=" + d.of(HEX.upper(), 8),
    "supabase": _plain(("sb", "p_"), HEX, 40),
    "planetscale": _plain(("psc", "ale_tkn_"), URL64, 43),
    "flyio": lambda d: "fm" + "2_" + d.b64(120).rstrip("="),
    "langsmith": lambda d: "ls" + "v2_pt_" + d.of(HEX, 32) + "_" + d.of(HEX, 10),
    "tailscale": lambda d: "ts" + "key-auth-" + d.of(ALNUM, 12) + "CNTRL-" + d.of(ALNUM, 32),
    "airtable": lambda d: "p" + "at" + d.of(ALNUM, 14) + "." + d.of(HEX, 64),
    "azure-client-secret": lambda d: (
        d.of(ALNUM, 3) + d.choice("78") + "Q" + "~" + d.of(URL64 + "~.", 33) + d.of(ALNUM, 1)
    ),
    "dynatrace": lambda d: "dt0" + "c01." + d.of(UPPER, 24) + "." + d.of(UPPER, 64),
    "alibaba": _plain(("LT", "AI"), ALNUM, 20),
    "brevo": lambda d: "xkey" + "sib-" + d.of(HEX, 64) + "-" + d.of(ALNUM, 16),
    "vercel": _plain(("vc", "p_"), ALNUM, 24, 56),
    "cloudflare": _plain(("cf", "ut_"), URL64, 40),
    "jwt": Draw.jwt,
}
"""Keys with a known format."""

_ANYWHERE = (
    'client = Client(api_key="{}")\nclient.connect()',
    "const KEY = '{}';\nexport default KEY;",
    "export SERVICE_TOKEN={}\nmake deploy",
    "PATH=/usr/bin:/bin\nSERVICE_VALUE={}\nHOME=/home/dev",
    "service:\n  credential: {}\n  region: eu-west-1",
    '{{"id": 7, "value": "{}", "ok": true}}',
    '{{\\"cmd\\": \\"deploy\\", \\"value\\": \\"{}\\"}}',
    "line one\\n{}\\nline three",
    "curl -H 'Authorization: Bearer {}' https://api.example.com/v1/me",
    "GET /v1/items?auth={}&page=2 HTTP/1.1",
    "2024-05-01T10:00:00Z WARN rejected value {} from 10.0.0.3",
    "Use the key {} for staging, please.",
    "- old: none\n+ value: {}\n  other: 1",
    "The value is `{}`; keep it safe.",
    "name,value,owner\nci,{},dev\n",
    "<string>{}</string>",
    "Invalid credentials: {}.",
    "+    api = connect({})\n",
    "remote: https://oauth2:{}@git.example.com/team/repo.git",
    "ENV VALUE {}\nRUN make",
)
"""Surroundings of a key with a known format."""

_AROUND = (
    "Running the deployment now; see docs/deploy.md for what each step does.",
    "$ cat config/settings.toml\n[server]\nport = 8080\nworkers = 4",
    "Traceback (most recent call last):\n  File \"app/main.py\", line 42, in run\n    raise ValueError('no such user')",
    "drwxr-xr-x 4 dev dev 4096 May  1 10:00 src\n-rw-r--r-- 1 dev dev  312 May  1 10:00 README.md",
    "def total(items: list[int]) -> int:\n    return sum(items)",
    "commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nAuthor: Dev <dev@example.com>",
    "Exit code: 0\nWall time: 0.2 seconds",
    "Ünïcode — and a line of 日本語 with an emoji 🎉",
    "",
)


def _named(draw: Draw) -> dict[str, tuple[str, str]]:
    """Return secrets with known surroundings: the text with a gap, and the secret."""
    password, token = draw.password(), draw.of(ALNUM, 20, 44)
    name = draw.choice(["DB_PASSWORD", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "SMTP_PASS", "ADMIN_PASSWD", "MYSQL_PWD"])
    key = draw.choice(["API_KEY", "SECRET_KEY", "STRIPE_SECRET", "AUTH_TOKEN", "JWT_SECRET", "ACCESS_TOKEN"])
    camel = draw.choice(
        ["apiKey", "accessToken", "clientSecret", "refreshToken", "privateKey", "authToken", "secretKey"]
    )
    field = draw.choice(["api_key", "access_token", "client_secret", "secret", "refresh_token", "signing_key"])
    user, host = (
        draw.choice(["admin", "app", "svc-build", "root"]),
        draw.choice(["db", "10.1.2.3", "cache.example.com"]),
    )
    scheme = draw.choice(["postgres", "postgresql+asyncpg", "mysql", "redis", "amqp", "mongodb+srv", "https", "ftp"])
    web = "".join(c for c in password if c not in "#%") or "x7yz9w"
    basic = base64.b64encode(f"{user}:{password}".encode()).decode()
    account = draw.b64(64)
    return {
        "password-in-url": (f"{scheme}://{user}:{{}}@{host}:5432/main", web),
        "password-in-url-encoded": (f"{scheme}://{user}:{{}}@{host}/main", quote(password + "/@", safe="")),
        "redis-url": (f"redis://:{{}}@{host}:6379/0", web),
        "env-password": (f"TERM=xterm\n{name}={{}}\nLANG=C.UTF-8", password),
        "env-token": (f"SHELL=/bin/bash\n{key}={{}}\nUSER=dev", token),
        "env-word-password": (f"USER=dev\n{name}={{}}\nHOME=/home/dev", draw.of(string.ascii_lowercase, 8, 14)),
        "export": (f"export {key}='{{}}'", token),
        "docker-run": (f"docker run --rm -e {name}={{}} postgres:16", password),
        "docker-inspect": (f'"Env": ["PATH=/bin", "{name}={{}}", "LANG=C"]', password),
        "python-assignment": (f'{key.lower()} = "{{}}"', token),
        "python-argument": ('connect(host="db", password="{}", timeout=3)', password),
        "python-dict": (f"settings['{field}'] = '{{}}'", token),
        "javascript": (f'const {camel} = "{{}}";', token),
        "go": (f'{camel} := "{{}}"', token),
        "java-properties": ("spring.datasource.password={}\nserver.port=8080", password),
        "yaml": (f"database:\n  host: db\n  password: {{}}\n  pool: 5\n{'#' * 3}", password),
        "yaml-token": (f"auth:\n  {field}: {{}}\n  ttl: 60", token),
        "kubernetes-env": (f"- name: {name}\n  value: {{}}\n- name: MODE\n  value: prod", password),
        "json": (f'{{{{"user": "{user}", "{field}": "{{}}", "n": 3}}}}', token),
        "json-password": ('{{"user": "dev", "password": "{}"}}', password),
        "json-in-json": (f'{{{{"body": "{{{{\\"{field}\\": \\"{{}}\\"}}}}"}}}}', token),
        "toml": (f'[auth]\n{field} = "{{}}"\nretries = 3', token),
        "ini": (f"[client]\nuser={user}\npassword={{}}\nport=3306", password),
        "xml": ("<login><user>dev</user><password>{}</password></login>", password.replace("#", "")),
        "dotnet": (f"Server={host};Database=main;User Id={user};Password={{}};Encrypt=True", password),
        "xml-setting": ('<add key="DbPassword" value="{}" />', password),
        "header-bearer": ("Authorization: Bearer {}\nAccept: */*", token),
        "header-basic": ("Authorization: Basic {}\nAccept: */*", basic),
        "header-token": ("Authorization: Token {}\nHost: example.com", token),
        "header-key": ("X-Api-Key: {}\nHost: example.com", token),
        "header-cookie": ("Cookie: session={}; theme=dark".replace("; theme=dark", ""), token),
        "curl-user": (f"curl -sS -u {user}:{{}} https://api.example.com/v1", password),
        "flag": (f"deploy --region eu --{draw.choice(['password', 'token', 'api-key'])} {{}} --yes", token),
        "flag-equals": (f"deploy --{draw.choice(['password', 'token', 'client-secret'])}={{}} --yes", token),
        "query": (f"https://api.example.com/v1?{field}={{}}&page=2", token),
        "aws-secret": ("aws_secret_access_key = {}\nregion = eu-west-1", draw.b64(30)),
        "aws-secret-env": ("export AWS_SECRET_ACCESS_KEY={}", draw.b64(30)),
        "azure-storage": (
            "DefaultEndpointsProtocol=https;AccountName=st;AccountKey={};EndpointSuffix=core.net",
            account,
        ),
        "azure-sas": (
            "https://st.blob.core.net/c/f?sv=2022-11-02&sp=r&sig={}&se=2030",
            quote(draw.b64(32), safe=""),
        ),
        "slack-webhook": (
            "https://hooks.slack" + ".com/services/{}",
            f"T{draw.of(UPPER, 9)}/B{draw.of(UPPER, 9)}/{draw.of(ALNUM, 24)}",
        ),
        "discord-webhook": (
            f"https://discord.com/api/webhooks/{draw.of('123456789', 18)}/{{}}",
            draw.of(ALNUM, 1) + draw.of(URL64, 67),
        ),
        "presigned": ("https://b.s3.example.com/f?X-Amz-Expires=60&X-Amz-Signature={}", draw.of(HEX, 64)),
        "docker-config": ('{{"auths": {{"ghcr.io": {{"auth": "{}"}}}}}}', basic),
        "netrc": (f"machine git.example.com login {user} password {{}}\n", password),
        "npmrc": ("//registry.example.com/:_authToken={}\n", str(uuid.UUID(int=draw.getrandbits(128), version=4))),
        "sshpass": ("sshpass -p '{}' ssh dev@host uptime", password),
        "mysql": ("mysql -h db -u app -p{} main < dump.sql", password),
        "typed": ('password: str = "{}"', password),
        "ruby": ("config.secret_key => '{}'", draw.of(HEX, 64)),
        "own-secret": ("x-agent-key: {}", OWN_SECRET),
        "own-secret-url": ("https://api.example.com/a?k={}&b=1", quote(OWN_SECRET, safe="")),
        "own-secret-base64": ("payload {} end", base64.b64encode(OWN_SECRET.encode()).decode()),
    }


_PEM_KINDS = ("RSA ", "EC ", "OPENSSH ", "ENCRYPTED ", "DSA ", "")


def pem(draw: Draw, *, whole: bool = True, newline: str = "\n") -> tuple[str, str]:
    """Return a private key in PEM and its body; without its end if not `whole`."""
    label = draw.choice(_PEM_KINDS) + "PRIVATE" + " KEY"
    lines = [draw.of(B64, 64) for _ in range(draw.randint(3, 24))] + [draw.of(B64, 34) + "=="]
    if not whole:
        lines = lines[:-1]
    begin, end = f"-----BEGIN {label}-----", f"-----END {label}-----"
    return newline.join((begin, *lines, end) if whole else (begin, *lines)), newline.join(lines)


def _keys(draw: Draw) -> dict[str, tuple[str, str]]:
    """Return private keys: the text, and the body that must be removed."""
    written = [pem(draw), pem(draw, newline="\\n"), pem(draw, whole=False), pem(draw)]
    indented = (written[3][0].replace("\n", "\n    "), written[3][1].replace("\n", "\n    "))
    label = "PGP PRIVATE" + " KEY BLOCK"
    body = "\n".join(draw.of(B64, 64) for _ in range(8))
    pgp = f"-----BEGIN {label}-----\nVersion: GnuPG v2\n\n{body}\n=aB3d\n-----END {label}-----"
    return {
        "private-key": written[0],
        "private-key-escaped": (f'{{"private_key": "{written[1][0]}\\n", "n": 1}}', written[1][1]),
        "private-key-cut": written[2],
        "private-key-indented": (f"key: |\n    {indented[0]}\nnext: 1", indented[1]),
        "private-key-pgp": (pgp, body),
    }


def _sample(draw: Draw, kind: str, text: str, secret: str) -> Sample:
    before, after = draw.choice(_AROUND), draw.choice(_AROUND)
    if kind == "private-key-cut" and draw.random() < 0.5:
        after = ""  # the output was cut in the middle of the key
    return Sample(kind=kind, text=f"{before}\n{text}\n{after}", secret=secret, before=before, after=after)


def positives(seed: int = 1, rounds: int = 18) -> Iterator[Sample]:
    """Return texts with one secret each, `rounds` of every kind."""
    draw = Draw(seed)
    for _ in range(rounds):
        for kind, make in KEYS.items():
            secret = make(draw)
            yield _sample(draw, kind, draw.choice(_ANYWHERE).format(secret), secret)
        for kind, (text, secret) in _named(draw).items():
            yield _sample(draw, kind, text.format(secret), secret)
        for kind, (text, secret) in _keys(draw).items():
            yield _sample(draw, kind, text, secret)


_PROSE = (
    "The password is stored in the vault; ask the platform team for access to it.",
    "Each token in the sentence is mapped to an embedding, then the key and value are computed.",
    "Please rotate the API key before 2025-01-31, and tell #ops when the secret has changed.",
    "Authentication: Bearer tokens are sent in the Authorization header of every request.",
    "Basic authentication sends user and password; token-based authentication-middleware does not.",
    "Press the key: Enter. The secret: patience. Cookie: a small text file kept by the browser.",
    "secret: a story in three parts; password: something only you know",
    "authorization: only maintainers may merge to release-branches",
    "The private key never leaves the device; -----BEGIN PRIVATE KEY----- is how such a file begins.",
    "Set the password with `passwd`, then log in again.",
)
_CODE = (
    "token = get_token()",
    "token = self._tokens[0]",
    "password: str",
    "password: Optional[str] = None",
    "def login(user: str, password: str) -> Token:",
    "api_key = os.environ['API_KEY']",
    'api_key = os.environ.get("SERVICE_API_KEY", "")',
    "const token = await fetchToken(user.id);",
    "secret = secrets.token_hex(32)",
    "access_token: process.env.ACCESS_TOKEN,",
    "key = lambda item: item.name",
    "for key, value in settings.items():",
    "primary_key=True, foreign_key='user.id2024'",
    'cache_key = "user:profile:v2:42"',
    'sort_key = "created_at_2024"',
    "if token.type == TokenType.NAME:",
    "next_token = tokens[pos + 1]",
    'nextPageToken: "CAUQAA1234567890"',
    'password = getpass.getpass("Password: ")',
    'parser.add_argument("--password", help="database password")',
    'raise ValueError("token: expected 3 parts")',
    "password_field = forms.CharField(widget=forms.PasswordInput)",
    '<input type="password" name="password" id="password1">',
    "private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)",
    "Authorization: `Bearer ${accessToken}`,",
    'headers = {"Authorization": f"Bearer {token}"}',
    "max_tokens=4096, stop_token_id=50256",
    "pad_token_id: 50256",
    "secretKeyRef:\n  name: db-credentials\n  key: password",
    'String token = request.getHeader("X-Token");',
    "token := r.Header.Get(tokenHeader)",
    "TOKEN=$(gh auth token)",
    'export API_KEY="$SERVICE_KEY"',
    "kubectl create secret generic db --from-literal=password=$PASSWORD",
    'if (password !== confirmPassword2) throw new Error("mismatch");',
    "case TOKEN_STRING: return lex.token;",
    "password_hash = bcrypt.hashpw(password, salt)",
    'assert "-----BEGIN RSA PRIVATE KEY-----" in text',
    "token_type: bearer",
    "cookie: cookies.get('theme')",
    "self.token = token",
    "PWD=/home/dev/project",
    "SSH_AUTH_SOCK=/run/user/1000/keyring/ssh\nAWS_PROFILE=dev",
    "GOOGLE_APPLICATION_CREDENTIALS=/home/dev/.config/gcloud/key.json",
    "docker run --rm -u 1000:1000 -p 3306:3306 mysql:8",
    "date -u +%Y-%m-%dT%H:%M:%SZ",
    "git push -u origin main:release-2024",
    "type Token = { kind: string; value: number }",
    "keyof typeof tokens1",
    "Argument(keyword=match.matched_token, value=value2)",
    "token: null, apiKey: undefined, secret: false",
)
_PLACEHOLDERS = (
    "${{{}}}",
    "$" + "{}",
    "<{}>",
    "<your-{}>",
    "your-{}-here",
    "%({})s",
    "{{{{ {} }}}}",
    "********",
    "xxxxxxxxxxxxxxxx",
    "...",
    "changeme",
    "REPLACE_ME",
    "INSERT_{}_HERE",
)


def _look_alikes(draw: Draw) -> Iterator[tuple[str, str]]:
    sha1, sha256 = hashlib.sha1(draw.randbytes(8)).hexdigest(), hashlib.sha256(draw.randbytes(8)).hexdigest()
    word = draw.choice(["token", "api_key", "password", "secret", "access_token", "client_secret"])
    blank = draw.choice(_PLACEHOLDERS).format(word.upper())
    identity = str(uuid.UUID(int=draw.getrandbits(128), version=4))
    integrity = base64.b64encode(draw.randbytes(64)).decode()
    image = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40) + draw.randbytes(900)).decode()
    package = draw.choice(["left-pad", "react-dom", "tokenizers", "keyring", "passport-local", "cookie-parser"])
    yield "git-sha", f"commit {sha1}\nAuthor: Dev <dev@example.com>"
    yield "git-log", f"{sha1[:9]} Fix the token refresh (#{draw.randint(1, 999)})"
    yield "git-diff", f"index {sha1[:10]}..{sha256[:10]} 100644\n--- a/src/token.py\n+++ b/src/token.py"
    yield "uuid", f'{{"id": "{identity}", "trace_id": "{sha256[:32]}"}}'
    yield "sha256", f"sha256:{sha256}  dist/tool-{draw.randint(1, 9)}.tar.gz"
    yield "docker-digest", f"FROM python:3.12@sha256:{sha256}"
    yield "md5", f"{sha256[:32]}  release.zip"
    yield "etag", f'ETag: "{sha256[:32]}"\nContent-Length: {draw.randint(1, 9999)}'
    yield "npm-lock", f'"node_modules/{package}": {{"version": "1.2.3", "integrity": "sha512-{integrity}"}}'
    yield "yarn-lock", f'{package}@^1.0.0:\n  resolved "https://registry.example.com/{package}.tgz#{sha1}"'
    yield "poetry-lock", f'    {{file = "{package}-1.0.tar.gz", hash = "sha256:{sha256}"}},'
    yield "cargo-lock", f'name = "{package}"\nchecksum = "{sha256}"'
    yield (
        "go-sum",
        f"golang.org/x/{package} v0.{draw.randint(1, 40)}.0 h1:{base64.b64encode(draw.randbytes(32)).decode()}",
    )
    yield "base64-image", f'<img src="data:image/png;base64,{image}">'
    yield "base64-lines", "\n".join(image[i : i + 76] for i in range(0, len(image), 76))
    yield "font", f"src: url(data:font/woff2;base64,d09GMgAB{image});"
    yield "source-map", f"//# sourceMappingURL=data:application/json;base64,{image}"
    yield "css-class", f'<div class="sk-folding-cube-{draw.randint(1, 99)} hf_container_{draw.of(LOWER, 5)} npm_badge">'
    yield "css-module", f".Button_primary__{draw.of(ALNUM, 5)} .key-value-list-{draw.of(LOWER, 8)} {{ color: red }}"
    yield "identifier", f"sk_live_region_{draw.choice(['eu', 'us'])} = ghp_client.npm_package_name_{draw.randint(1, 9)}"
    yield "long-identifier", f"test_that_the_token_of_user_{draw.randint(1, 99)}_is_refreshed_before_it_expires()"
    yield "camel", f"AbstractSingletonProxyFactoryBean{draw.randint(1, 99)}TokenProvider.getAccessTokenSecretKey()"
    yield "placeholder", f'{word} = "{blank}"'
    yield "placeholder-env", f"{word.upper()}={blank}"
    yield "placeholder-yaml", f"{word}: {blank}"
    yield "placeholder-json", json.dumps({word: blank})
    yield "placeholder-header", f"Authorization: Bearer {draw.choice(['$TOKEN', '<token>', '${TOKEN}', 'YOUR_TOKEN'])}"
    yield "placeholder-key", draw.choice(["s" + "k-", "gh" + "p_", "AK" + "IA"]) + "X" * 40
    yield "path", f"/usr/lib/python3.12/site-packages/{package}/token_{sha1[:8]}.py:{draw.randint(1, 999)}"
    yield "path-windows", f"C:\\Users\\dev\\AppData\\Local\\{package}\\secrets\\key{draw.randint(1, 9)}.json"
    yield "key-file", f"ssh_key: ~/.ssh/id_ed25519_{draw.of(LOWER, 6)}\nsecret_key: /run/secrets/key_{sha1[:6]}"
    yield "url", f"https://example.com:8443/{package}/{sha1}?page={draw.randint(1, 9)}&sort=token"
    yield "url-user", f"git clone ssh://git@github.example.com/{package}.git && git@host:team/{package}.git"
    yield (
        "url-placeholder",
        f"postgres://{draw.choice(['${DB_USER}:${DB_PASSWORD}', 'user:<password>', 'u:***'])}@db/main",
    )
    yield "url-at", f"https://medium.example.com/@dev{draw.randint(1, 99)}/a-story-{sha1[:12]}"
    yield "email", f"Contact: dev+{sha1[:6]}@example.com, ops@example.com"
    yield "semver", f"{package}@{draw.randint(1, 9)}.{draw.randint(0, 20)}.0-beta.{draw.randint(1, 9)}+build.{sha1[:7]}"
    yield "date", f"2024-{draw.randint(10, 12)}-01T10:00:{draw.randint(10, 59)}.123456789+00:00 key=value level=info"
    yield "ip", f"{draw.randint(1, 255)}.0.0.1:8080 -> [2001:db8::{sha1[:4]}]:443 token refresh ok"
    yield "numbers", ", ".join(str(draw.random()) for _ in range(8))
    yield "hex-dump", f"00000010: {' '.join(sha256[i : i + 4] for i in range(0, 32, 4))}  ................"
    yield "certificate", f"-----BEGIN CERTIFICATE-----\n{image[:64]}\n{image[64:128]}\n-----END CERTIFICATE-----"
    yield "public-key", f"-----BEGIN PUBLIC KEY-----\n{image[:64]}\n-----END PUBLIC KEY-----"
    yield "ssh-public", f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{draw.of(ALNUM, 43)} dev@host"
    yield "stripe-public", "pk" + "_live_" + draw.of(ALNUM, 24)
    yield "public-key-field", f'"publicKey": "{draw.of(ALNUM, 40)}", "key_id": "{draw.of(UPPER, 20)}"'
    yield "idempotency", f"Idempotency-Key: {identity}"
    yield "object-id", f'{{"_id": "{sha1[:24]}", "partitionKey": "user-{draw.randint(1, 999)}"}}'
    yield "tokens", f'{{"prompt_tokens": {draw.randint(1, 9999)}, "completion_tokens": 12, "max_tokens": 4096}}'
    yield "tokenizer", f'{{"eos_token": "<|endoftext|>", "token": "Ġthe", "id": {draw.randint(1, 50000)}}}'
    yield "code", draw.choice(_CODE)
    yield "code", draw.choice(_CODE)
    yield "code", draw.choice(_CODE)
    yield "prose", draw.choice(_PROSE)
    yield "prose", draw.choice(_PROSE)
    yield "listing", f"-rw-r--r-- 1 dev dev {draw.randint(100, 99999)} May  1 10:00 passwords_{sha1[:6]}.csv"
    yield "license", f"SPDX-License-Identifier: MIT\nCopyright 2024 {package} authors"
    yield "sql", f"SELECT token, secret FROM api_keys WHERE key_id = {draw.randint(1, 99)} AND password IS NOT NULL;"
    yield "regex", r'TOKEN = re.compile(r"[A-Za-z0-9_]{20,}\.(?P<key>\w+)")'
    yield "makefile", f"KEY_FILES := $(wildcard keys/*.pem)\nTOKEN ?= $(shell cat .token{draw.randint(1, 9)})"
    yield "svg", f'<path d="M{draw.randint(1, 99)}.5 0L{draw.random()} 12.25C3.1 4.5 M10 20h30v-40z"/>'
    yield "minified", f"function t(e,n){{return e.token=n,e.key=n.key||{draw.randint(1, 99)},e.password===n.secret}}"


def look_alikes(seed: int = 2, rounds: int = 36) -> Iterator[Sample]:
    """Return texts that look like secrets and are none."""
    draw = Draw(seed)
    for _ in range(rounds):
        for kind, text in _look_alikes(draw):
            yield Sample(kind=kind, text=f"{draw.choice(_AROUND)}\n{text}\n{draw.choice(_AROUND)}")


def leaks(sample: Sample, shown: str) -> bool:
    """Return whether the secret, or a significant part of it, is still in the text."""
    secret = sample.secret
    size = min(10, len(secret))
    windows = (secret[i : i + size] for i in range(len(secret) - size + 1))
    # a bot's number before its key is public
    return any(part in shown and not part.rstrip(":").isdigit() for part in windows)
