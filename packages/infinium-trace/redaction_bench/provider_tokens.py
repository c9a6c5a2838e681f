"""Tokens in the formats their providers publish; a prefix makes them recognisable without a name."""

import base64
import json
import random
import string
import textwrap

from case import templates, text_of

_ALNUM = string.ascii_letters + string.digits
_UPPER = string.ascii_uppercase + string.digits
_URL = _ALNUM + "-_"
_LOWER = string.ascii_lowercase + string.digits
_HEX = "0123456789abcdef"

# Provider: pieces; a piece is literal text or (alphabet, length).
_Piece = str | tuple[str, int]
_FORMATS: dict[str, tuple[_Piece, ...]] = {
    "github classic": ("ghp_", (_ALNUM, 36)),
    "github oauth": ("gho_", (_ALNUM, 36)),
    "github app": ("ghs_", (_ALNUM, 36)),
    "github refresh": ("ghr_", (_ALNUM, 36)),
    "github fine-grained": ("github_pat_", (_ALNUM, 22), "_", (_ALNUM, 59)),
    "gitlab personal": ("glpat-", (_URL, 20)),
    "gitlab runner": ("glrt-", (_URL, 20)),
    "gitlab deploy": ("gldt-", (_URL, 20)),
    "gitlab trigger": ("glptt-", (_HEX, 40)),
    "slack bot": ("xoxb-", ("123456789", 12), "-", ("123456789", 13), "-", (_ALNUM, 24)),
    "slack user": ("xoxp-", ("123456789", 12), "-", ("123456789", 12), "-", ("123456789", 13), "-", (_HEX, 32)),
    "slack app": ("xapp-1-A", (_UPPER, 10), "-", ("123456789", 13), "-", (_HEX, 64)),
    "slack webhook": ("https://hooks.slack.com/services/T", (_UPPER, 10), "/B", (_UPPER, 10), "/", (_ALNUM, 24)),
    "stripe secret": ("sk_live_", (_ALNUM, 24)),
    "stripe restricted": ("rk_live_", (_ALNUM, 99)),
    "stripe test": ("sk_test_", (_ALNUM, 99)),
    "stripe webhook": ("whsec_", (_ALNUM, 32)),
    "google api": ("AIzaSy", (_URL, 33)),
    "google oauth secret": ("GOCSPX-", (_URL, 28)),
    "openai project": ("sk-proj-", (_URL, 74), "T3BlbkFJ", (_URL, 74)),
    "openai legacy": ("sk-", (_ALNUM, 20), "T3BlbkFJ", (_ALNUM, 20)),
    "anthropic": ("sk-ant-api03-", (_URL, 93), "AA"),
    "openrouter": ("sk-or-v1-", (_HEX, 64)),
    "hugging face": ("hf_", (string.ascii_letters, 34)),
    "groq": ("gsk_", (_ALNUM, 52)),
    "replicate": ("r8_", (_ALNUM, 37)),
    "perplexity": ("pplx-", (_ALNUM, 48)),
    "xai": ("xai-", (_ALNUM, 80)),
    "nvidia": ("nvapi-", (_URL, 64)),
    "langsmith": ("lsv2_pt_", (_HEX, 32), "_", (_HEX, 10)),
    "langfuse": ("sk-lf-", (_HEX, 8), "-", (_HEX, 4), "-", (_HEX, 4), "-", (_HEX, 4), "-", (_HEX, 12)),
    "tavily": ("tvly-dev-", (_ALNUM, 32)),
    "pinecone": ("pcsk_", (_ALNUM, 6), "_", (_ALNUM, 63)),
    "sendgrid": ("SG.", (_URL, 22), ".", (_URL, 43)),
    "mailgun": ("key-", (_HEX, 32)),
    "mailchimp": ((_HEX, 32), "-us", ("123456789", 1)),
    "twilio key": ("SK", (_HEX, 32)),
    "resend": ("re_", (_ALNUM, 8), "_", (_ALNUM, 24)),
    "brevo": ("xkeysib-", (_HEX, 64), "-", (_ALNUM, 16)),
    "npm": ("npm_", (_ALNUM, 36)),
    "pypi": ("pypi-AgEIcHlwaS5vcmc", (_URL, 150)),
    "rubygems": ("rubygems_", (_HEX, 48)),
    "crates.io": ("cio", (_ALNUM, 32)),
    "nuget": ("oy2", (_LOWER, 43)),
    "docker hub": ("dckr_pat_", (_URL, 27)),
    "terraform cloud": ((_ALNUM, 14), ".atlasv1.", (_ALNUM, 67)),
    "vault service": ("hvs.", (_URL, 95)),
    "pulumi": ("pul-", (_HEX, 40)),
    "doppler": ("dp.pt.", (_ALNUM, 43)),
    "digitalocean": ("dop_v1_", (_HEX, 64)),
    "heroku": ("HRKU-AA", (_URL, 58)),
    "netlify": ("nfp_", (_ALNUM, 36)),
    "supabase": ("sbp_", (_HEX, 40)),
    "planetscale": ("pscale_tkn_", (_URL, 43)),
    "databricks": ("dapi", (_HEX, 32)),
    "new relic": ("NRAK-", (_UPPER, 27)),
    "sentry user": ("sntryu_", (_HEX, 64)),
    "grafana": ("glsa_", (_ALNUM, 32), "_", (_HEX, 8)),
    "linear": ("lin_api_", (_ALNUM, 40)),
    "notion": ("ntn_", ("123456789", 11), (_ALNUM, 35)),
    "airtable": ("pat", (_ALNUM, 14), ".", (_HEX, 64)),
    "atlassian": ("ATATT3xFfGF0", (_URL, 180), "=", (_UPPER, 8)),
    "shopify": ("shpat_", (_HEX, 32)),
    "square": ("EAAA", (_URL, 60)),
    "discord bot": ("MT", (_ALNUM, 22), ".G", (_ALNUM, 5), ".", (_URL, 38)),
    "telegram bot": (("123456789", 10), ":AA", (_URL, 33)),
    "age": ("AGE-SECRET-KEY-1", ("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58)),
    "figma": ("figd_", (_URL, 40)),
    "postman": ("PMAK-", (_HEX, 24), "-", (_HEX, 34)),
    "hubspot": ("pat-na1-", (_HEX, 8), "-", (_HEX, 4), "-", (_HEX, 4), "-", (_HEX, 4), "-", (_HEX, 12)),
    "mapbox": ("sk.eyJ1Ijoi", (_ALNUM, 60), ".", (_URL, 22)),
    "prefect": ("pnu_", (_ALNUM, 36)),
    "readme": ("rdme_", (_LOWER, 70)),
    "tailscale": ("tskey-auth-", (_ALNUM, 17), "-", (_ALNUM, 32)),
    "circleci": ("CCIPAT_", (_ALNUM, 22), "_", (_HEX, 40)),
    "sourcegraph": ("sgp_", (_HEX, 16), "_", (_HEX, 40)),
    "artifactory": ("AKCp", (_ALNUM, 69)),
    "adafruit": ("aio_", (_ALNUM, 28)),
    "easypost": ("EZAK", (_ALNUM, 54)),
    "flutterwave": ("FLWSECK-", (_HEX, 32), "-X"),
    "typeform": ("tfp_", (_URL, 59)),
    "alibaba": ("LTAI", (_ALNUM, 20)),
    "elevenlabs": ("sk_", (_HEX, 48)),
    "firecrawl": ("fc-", (_HEX, 32)),
    "dropbox": ("sl.", (_URL, 135)),
    "facebook": ("EAAMZ", (_ALNUM, 120)),
    "1password": ("ops_eyJ", (_ALNUM, 250)),
    "contentful": ("CFPAT-", (_URL, 43)),
    "launchdarkly": ("sdk-", (_HEX, 8), "-", (_HEX, 4), "-", (_HEX, 4), "-", (_HEX, 4), "-", (_HEX, 12)),
    "aws access key": ("AKIA", ("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)),
}

_CONTEXTS = templates("token_contexts.txt")


def provider_token(rng: random.Random) -> tuple[str, str]:
    """A provider and a token in its format."""
    provider = rng.choice(list(_FORMATS))
    return provider, "".join(each if isinstance(each, str) else text_of(rng, *each) for each in _FORMATS[provider])


def token_in_context(rng: random.Random, token: str, word: str) -> str:
    """The token in a line whose words do not say that it is one."""
    return rng.choice(_CONTEXTS).format(token=token, word=word)


def json_web_token(rng: random.Random) -> str:
    """A JWT with random claims."""
    header = {"alg": rng.choice(("HS256", "RS256", "ES256")), "typ": "JWT"}
    claims = {"sub": str(rng.randint(1, 10**9)), "iat": rng.randint(10**9, 2 * 10**9), "scope": rng.choice(("r", "rw"))}
    pieces = [json.dumps(each, separators=(",", ":")).encode() for each in (header, claims)]
    return ".".join(base64.urlsafe_b64encode(each).decode().rstrip("=") for each in (*pieces, rng.randbytes(32)))


def private_key(rng: random.Random) -> tuple[str, str]:
    """A PEM block, and the part of its body that must not remain."""
    label = rng.choice(
        ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
    )
    body = base64.b64encode(rng.randbytes(rng.choice((118, 600, 1190)))).decode()
    lines = textwrap.wrap(body, rng.choice((64, 70)))
    separator = rng.choice(("\n", "\n", "\\n", "\n    "))
    return separator.join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----")), rng.choice(lines[:-1])
