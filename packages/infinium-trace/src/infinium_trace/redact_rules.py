"""Rules for secrets: the public formats of providers' keys, and the names to which secrets are assigned.

The work of every pattern is linear in the text: it is tried only where its literal occurs, each repeat is bounded or
possessive, and a repeat that can backtrack contains no other (`tests/test_redact_linear.py` checks the patterns).

To add a key format, add a row to `PROVIDERS` (known prefix) or `ANCHORED` (known surroundings) and a sample to
`tests/redact_corpus.py`.
"""

_W = "[A-Za-z0-9_-]"  # base64url
_A = "[A-Za-z0-9]"
_X = "[0-9a-fA-F]"

PROVIDERS: tuple[tuple[str, str, str], ...] = (
    # kind, literal prefixes, pattern of the rest
    ("adafruit-key", "aio_", rf"{_A}{{28,}}+"),
    ("age-key", "AGE-SECRET-KEY-1", r"[0-9A-Za-z]{50,}+"),
    ("airtable-token", "pat", rf"{_A}{{14}}\.[0-9a-f]{{64}}"),
    ("alibaba-access-key", "LTAI", rf"{_A}{{12,26}}+(?!{_A})"),
    ("anthropic-key", "sk-ant-", rf"{_W}{{32,}}+"),
    ("artifactory-token", "AKCp", rf"{_A}{{60,}}+"),
    ("artifactory-token", "cmVmdGtuOj", rf"{_A}{{40,}}+"),
    ("atlassian-token", "ATATT3 ATCTT3 ATBB", r"[A-Za-z0-9_=-]{20,}+"),
    ("aws-access-key", "AKIA ASIA ABIA ACCA", rf"[A-Z0-9]{{16}}(?!{_A})"),
    ("aws-bedrock-key", "ABSK", r"[A-Za-z0-9+/]{80,}+={0,2}"),
    ("braintree-token", "access_token$production$ access_token$sandbox$", rf"{_A}{{16}}\$[0-9a-f]{{32}}"),
    ("buildkite-token", "bkua_ bkct_", rf"{_A}{{36,}}+"),
    ("circleci-token", "CCIPAT_ CCIPRJ_", rf"{_W}{{30,}}+"),
    ("clojars-token", "CLOJARS_", rf"{_A}{{50,}}+"),
    ("cloudflare-token", "cfut_ cfat_ cfk_", rf"{_W}{{32,}}+"),
    ("cloudflare-token", "v1.0-", r"[0-9a-f]{24}-[0-9a-f]{100,}+"),
    ("contentful-token", "CFPAT-", rf"{_W}{{40,}}+"),
    ("crates-token", "cio", rf"{_A}{{32}}(?!{_A})"),
    ("databricks-token", "dapi", rf"{_X}{{32}}(?:-\d)?(?!{_A})"),
    ("digitalocean-token", "dop_v1_ doo_v1_ dor_v1_", r"[0-9a-f]{64}"),
    ("docker-token", "dckr_pat_ dckr_oat_", rf"{_W}{{20,}}+"),
    ("doppler-token", "dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.", r"[A-Za-z0-9_.-]{40,}+"),
    ("duffel-token", "duffel_live_ duffel_test_", r"[A-Za-z0-9_=-]{40,}+"),
    ("dynatrace-token", "dt0c01. dt0s16. dt0s01.", r"[A-Z0-9]{8,24}\.[A-Z0-9]{60,}+"),
    ("easypost-key", "EZAK EZTK", rf"{_A}{{54,}}+"),
    ("facebook-token", "EAA", rf"{_A}{{80,}}+"),
    ("figma-token", "figd_ figo_ figor_ figoh_", rf"{_W}{{36,}}+"),
    ("flyio-token", "fm1r_ fm1a_ fm2_ fo1_", r"[A-Za-z0-9+/_=-]{40,}+"),
    ("gcp-api-key", "AIza", rf"{_W}{{35}}"),
    ("gcp-oauth", "ya29.", r"[A-Za-z0-9_.-]{30,}+"),
    ("gcp-oauth", "GOCSPX-", rf"{_W}{{24,}}+"),
    ("github-token", "ghp_ gho_ ghu_ ghs_ ghr_", r"[A-Za-z0-9_.-]{36,}+"),
    ("github-token", "github_pat_", r"[A-Za-z0-9_]{60,}+"),
    (
        "gitlab-token",
        "glpat- gldt- glrt- glcbt- glptt- glft- glsoat- glimt- glagent- gloas- glffct- GR1348941 _gitlab_session=",
        r"[A-Za-z0-9_.-]{20,}+",
    ),
    ("grafana-token", "glc_ glsa_", r"[A-Za-z0-9+/_=]{32,}+"),
    ("grafana-token", "eyJrIjoi", r"[A-Za-z0-9+/=]{60,600}+(?![._-])"),
    ("groq-key", "gsk_", rf"{_A}{{40,}}+"),
    ("heroku-key", "HRKU-", rf"{_W}{{36,}}+"),
    ("huggingface-token", "hf_ api_org_", rf"{_A}{{34,}}+"),
    ("infracost-key", "ico-", rf"{_A}{{32,}}+"),
    ("langsmith-key", "lsv2_pt_ lsv2_sk_", r"[0-9a-f]{32}_[0-9a-f]{10}"),
    ("linear-key", "lin_api_ lin_oauth_", rf"{_A}{{40,}}+"),
    ("mailgun-key", "key-", r"[0-9a-f]{32}(?![A-Za-z0-9-])"),
    ("mapbox-token", "sk.eyJ tk.eyJ", r"[A-Za-z0-9_-]{20,400}+\.[A-Za-z0-9_-]{20,}+"),
    ("netlify-token", "nfp_ nfc_ nfo_ nfu_", rf"{_A}{{36,}}+"),
    ("newrelic-key", "NRAK- NRII- NRJS- NRAA- NRBR- NRSP-", rf"{_W}{{19,}}+"),
    ("notion-token", "ntn_ secret_", rf"{_A}{{43,}}+"),
    ("npm-token", "npm_", rf"{_A}{{36,}}+"),
    ("onepassword-token", "ops_eyJ", rf"{_W}{{100,}}+"),
    ("openai-key", "sk-", rf"{_W}{{20,}}+"),
    ("openrouter-key", "sk-or-", rf"{_W}{{40,}}+"),
    ("perplexity-key", "pplx-", rf"{_A}{{40,}}+"),
    ("plaid-token", "access-sandbox- access-development- access-production-", r"[0-9a-f-]{36}"),
    ("planetscale-token", "pscale_tkn_ pscale_pw_ pscale_oauth_", r"[A-Za-z0-9_=.-]{32,}+"),
    ("postman-key", "PMAK-", r"[0-9a-f]{24}-[0-9a-f]{34}"),
    ("prefect-key", "pnu_ pnb_", rf"{_A}{{36,}}+"),
    ("pulumi-token", "pul-", r"[0-9a-f]{40}"),
    ("pypi-token", "pypi-AgE", rf"{_W}{{50,}}+"),
    ("readme-key", "rdme_", r"[a-z0-9]{60,}+"),
    ("replicate-token", "r8_", rf"{_A}{{37,}}+"),
    ("rubygems-key", "rubygems_", r"[0-9a-f]{48}"),
    ("sendgrid-key", "SG.", rf"{_W}{{16,32}}+\.{_W}{{32,}}+"),
    ("sendinblue-key", "xkeysib- xsmtpsib-", r"[0-9a-f]{64}-[A-Za-z0-9]{16}"),
    ("sentry-token", "sntrys_ sntryu_ sntrya_ sntryi_", r"[A-Za-z0-9+/_=-]{40,}+"),
    ("shippo-token", "shippo_live_ shippo_test_", r"[0-9a-f]{40}"),
    ("shopify-token", "shpat_ shpca_ shppa_ shpss_ shptka_", rf"{_X}{{32,}}+"),
    (
        "slack-token",
        "xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs- xoxc- xoxd- xapp- xwfp- xoxe.",
        r"[A-Za-z0-9_.%+/-]{20,}+",
    ),
    ("sourcegraph-token", "sgp_ sgd_", r"[0-9a-fA-F_local]{40,}+"),
    ("square-token", "sq0atp- sq0csp- sq0idp-", rf"{_W}{{22,}}+"),
    ("stripe-key", "sk_live_ sk_test_ rk_live_ rk_test_", rf"{_A}{{10,}}+"),
    ("stripe-key", "whsec_", r"[A-Za-z0-9+/]{24,}+={0,2}"),
    ("supabase-key", "sbp_ sb_secret_", rf"{_W}{{28,}}+"),
    ("tailscale-key", "tskey-", rf"(?:auth|api|client|scim|webhook)-{_W}{{16,}}+"),
    ("telegram-token", "AA", rf"(?<=\d{{8}}:AA){_W}{{33}}(?!{_A})"),
    ("tencent-secret-id", "AKID", rf"{_A}{{28,}}+"),
    ("twilio-key", "SK", rf"[0-9a-f]{{32}}(?!{_A})"),
    ("typeform-token", "tfp_", rf"{_W}{{40,}}+"),
    ("vault-token", "hvs. hvb. hvr.", rf"{_W}{{24,}}+"),
    ("vercel-token", "vcp_ vci_ vca_ vcr_ vck_", rf"{_A}{{24,}}+"),
    ("xai-key", "xai-", rf"{_A}{{60,}}+"),
    ("discord-token", "M N O", rf"{_W}{{23,27}}+\.{_W}{{6}}\.{_W}{{27,}}+"),
    ("jwt", "eyJ", rf"(?<![_-]eyJ){_W}{{10,4000}}+\.eyJ{_W}{{8,8000}}+\.{_W}*+"),
    ("jwe", "eyJ", rf"(?<![_-]eyJ){_W}{{10,4000}}+\.{_W}{{0,2000}}+\.{_W}{{12,24}}+\.{_W}{{2,16000}}+\.{_W}{{16,}}+"),
)
"""Keys with a known prefix."""

WEAK_PREFIXES = frozenset({"openai-key", "supabase-key", "circleci-token", "newrelic-key", "slack-token"})
"""Kinds whose prefix also starts plain names (`sk-folding-cube…`). The rest of the key must look random."""

ANCHORED: tuple[tuple[str, bytes, int, str], ...] = (
    # kind, literal (lower case), characters of the match before it, pattern (group 1, if any, is the secret)
    ("azure-client-secret", b"q~", 4, rf"[A-Za-z0-9_~.-]{{3}}\dQ~[A-Za-z0-9_~.-]{{31,34}}+(?!{_A})"),
    ("azure-sas", b"sig=", 1, r"[?&;]sig=([A-Za-z0-9%+/=_-]{40,}+)"),
    ("bearer-token", b"bearer", 0, r"(?i:bearer)(?:[ \t]|%20|\+){1,4}+([A-Za-z0-9._~+/=-]{16,}+)"),
    ("discord-webhook", b"/api/webhooks/", 0, rf"/api/webhooks/\d{{16,20}}/({_W}{{50,}}+)"),
    (
        "mailchimp-key",
        b"-us",
        32,
        rf"(?:(?<!{_A})|(?<=\\[nrt])|(?<=%[0-9A-F]{{2}}))[0-9a-f]{{32}}-us\d{{1,2}}(?!{_A})",
    ),
    ("mysql-password", b"mysql", 0, r"(?i:mysql)[^\n]{0,120}?[ \t]-p([^\s\"'-][^\s\"']{2,}+)"),
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
    ("sshpass-password", b"sshpass", 0, r"sshpass[ \t]{1,4}+-p[ \t]{0,4}+[\"']?([^\s\"']{3,}+)"),
    ("teams-webhook", b"/incomingwebhook/", 0, r"/(?i:IncomingWebhook)/([0-9a-f]{32}/[0-9a-f-]{36}\S{0,60}+)"),
    ("terraform-token", b".atlasv1.", 14, rf"{_A}{{14}}\.atlasv1\.{_W}{{40,}}+"),
    ("url-password", b"://", 0, r"://[^\s/?#:@\"'<>\\`]{0,128}+:([^\s/?#\"'<>\\`]{1,256})@"),
    ("url-token", b"://", 0, r"://([A-Za-z0-9_.-]{20,256}+)@"),
    (
        "curl-password",
        b"curl",
        0,
        r"(?i:curl)(?:\\\n|[^\n]){0,400}?[ \t]-(?:[uU]|-(?:proxy-)?user)[ \t=]?[\"']?[^\s:\"'$]{1,99}+:([^\s\"']{3,}+)",
    ),
    ("basic-auth", b"basic", 0, r"(?i:basic)(?:[ \t]|%20){1,4}+([A-Za-z0-9+/_-]{8,}+={0,2})"),
    ("docker-auth", b"auth", 0, r"auth\\{0,3}\"[ \t]{0,4}+:[ \t]{0,4}+\\{0,3}\"([A-Za-z0-9+/]{8,}+={0,2})"),
    ("putty-key", b"private-lines:", 0, r"(?i:private-lines):[ \t]{1,4}+\d{1,3}\s{1,4}+([A-Za-z0-9+/=\s]{40,}+)"),
)
"""Secrets with known surroundings."""

_QUOTE = r"(?P<esc>\\{0,3})(?P<quote>[\"'`])"
ASSIGNMENT = (
    # the end of the name
    r"(?P<word>(?i:passw(?:or)?d|passphrase|pwd|_pass|secret(?:[_-]?(?:access)?[_-]?key)?|token|key|credentials?"
    r"|authorization|cookie)(?:_?\d{1,2})?)(?![A-Za-z0-9_-])"
    # the end of the name, and the operator before the value
    r"[\"'\\\])]{0,5}+[ \t]{0,24}+"
    r"(?:(?P<tie>=>|:=|\?=|:[ ]?[A-Za-z]{1,20}[ ]?=(?!=)|=(?![=>~])|:(?![:=]))[ \t]{0,24}+"
    r"|(?P<pair>(?:\\n|[,\s]){0,40}+[\"'\\]{0,4}(?i:value)[\"'\\]{0,4}+[ ]?[:=][ \t]{0,8}+)"
    r"|(?P<flag>(?<=[ \t]))|(?P<tag>>))"
    # the value, in quotes or bare
    r"(?:[rbufRBUF@]{0,2}" + _QUOTE + r"(?P<quoted>[^\"'`\r\n\\]{1,4096}+)"
    r"|(?P<bare>[^\s\"'`,;<>(){}\[\]\\|]{1,4096}+))"
)
"""`NAME = value` in code, shells, headers, YAML, JSON and XML, from the last word of the name."""

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
