"""All settings, read from the environment once.

Every variable is `PARAVENT_<NAME>`; a secret may instead be given as `PARAVENT_<NAME>_FILE`, the path of a file that
holds it. `docs/operators/install.md` explains them. `PARAVENT_DEMO=1` is the only switch that relaxes anything: it is
what `make run` and the tests use, and `config.checks` refuses every unsafe value without it.
"""

from __future__ import annotations

import decimal
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parents[2]
env = environ.FileAwareEnv()


def setting(name: str, default: str = "") -> str:
    """The text of `PARAVENT_<name>`, or of the file that `PARAVENT_<name>_FILE` names."""
    return str(env.str(f"PARAVENT_{name}", default=default)).strip()


def setting_bool(name: str, *, default: bool) -> bool:
    return bool(env.bool(f"PARAVENT_{name}", default=default))


def setting_int(name: str, default: int) -> int:
    return int(env.int(f"PARAVENT_{name}", default=default))


def _day_budget(text: str) -> decimal.Decimal | None:
    try:
        found = decimal.Decimal(text) if text else None
    except decimal.InvalidOperation:
        found = decimal.Decimal("NaN")
    if found is not None and (not found.is_finite() or not 0 <= found <= 10**9):
        raise ImproperlyConfigured(
            f"PARAVENT_PLATFORM_DAY_BUDGET is {text!r}, which is no amount. Nothing was started. Write it like 50.00."
        )
    return found


# --- what kind of installation this is ------------------------------------------------------------------------------
DEMO = setting_bool("DEMO", default=False)
DEBUG = setting_bool("DEBUG", default=False)
DATA_DIR = Path(setting("DATA_DIR", str(BASE_DIR / "var")))
SECRET_KEY = setting("SECRET_KEY")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "PARAVENT_SECRET_KEY is not set. Nothing was started. Put 50 random characters into a file of mode 0600 and "
        "name it in PARAVENT_SECRET_KEY_FILE (`make run` does this for a demo)."
    )
#: Where providers reach us. Signatures are computed from this and the request's path, never from the Host header.
PUBLIC_URL = setting("PUBLIC_URL", "http://127.0.0.1:8000" if DEMO else "").rstrip("/")
ALLOWED_HOSTS = [host for host in setting("ALLOWED_HOSTS", "127.0.0.1,localhost" if DEMO else "").split(",") if host]
#: The keys that protect senders' numbers and texts: one base64 line of 32 bytes each, the newest first.
MASTER_KEYS = setting("MASTER_KEY")
#: How many reverse proxies of ours append to X-Forwarded-For; 0 means the peer address is the client.
TRUSTED_PROXIES = setting_int("TRUSTED_PROXIES", 0)
#: The phone page and its loopback carrier. Production refuses to start with it.
SIMULATOR = setting_bool("SIMULATOR", default=DEMO)

# --- applications: from the ground up, the direction of imports -----------------------------------------------------
INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "config.apps.PeopleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "privacy",
    "organizations",
    "hotlines",
    "replies",
    "providers",
    "pages",
    "conversations",
    "shield",
    "outbox",
    "inbox",
    "rights",
    "evidence",
    "figures",
    "partners",
    *(["simulator"] if SIMULATOR else []),
    "rehearsal",
    "config",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "config.languages.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.headers.PolicyMiddleware",
    "config.sessions.SessionLimits",
    "allauth.account.middleware.AccountMiddleware",
    "config.devices.RememberDevice",
    "config.second_factor.RequireSecondFactor",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "platform/config/templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.second_factor.theme",
            ],
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
FORM_RENDERER = "django.forms.renderers.DjangoTemplates"

# --- database -------------------------------------------------------------------------------------------------------
DATABASES = {"default": env.db_url("PARAVENT_DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'paravent.sqlite3'}")}
#: Milliseconds; `serve` lowers it for web processes, because a provider waits 8 s at most. 0 means no limit.
STATEMENT_TIMEOUT_MS = setting_int("STATEMENT_TIMEOUT_MS", 0)
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 2,
        # FULL, because NORMAL loses committed transactions on power loss, and a committed message was acknowledged.
        # What is erased is overwritten: else the file would hold it until its page is used again.
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=2000; PRAGMA secure_delete=ON;"
        ),
    }
else:
    DATABASES["default"]["OPTIONS"] = {
        # What the URL asks for, such as ?sslmode=verify-full for a server on another host.
        **DATABASES["default"].get("OPTIONS", {}),
        "connect_timeout": 2,
        # Plans are kept on each connection: planning was half of what a webhook cost the database. A pooler that
        # shares one connection between transactions cannot keep them; then PARAVENT_DATABASE_PREPARED=0.
        "server_side_binding": setting_bool("DATABASE_PREPARED", default=True),
        "prepare_threshold": 3 if setting_bool("DATABASE_PREPARED", default=True) else None,
        "options": f"-c lock_timeout=1000 -c statement_timeout={STATEMENT_TIMEOUT_MS}",
    }
    # One connection for each thread of a process, kept: a pool would hand one over at every request.
    DATABASES["default"]["CONN_MAX_AGE"] = setting_int("DATABASE_MAX_AGE", 600)

# --- cache, task engine ---------------------------------------------------------------------------------------------
REDIS_URL = setting("REDIS_URL")
if REDIS_URL:
    _redis: dict[str, Any] = {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 0.2, "SOCKET_TIMEOUT": 0.2},
    }
    CACHES = {
        "default": _redis,
        # Only this cache swallows errors: a dead Redis must neither refuse a webhook nor answer 500.
        "limits": {**_redis, "KEY_PREFIX": "limits", "OPTIONS": {**_redis["OPTIONS"], "IGNORE_EXCEPTIONS": True}},
    }
else:
    CACHES = {
        alias: {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "LOCATION": alias,
            # Django's 300 would let a few hundred made-up keys push out the counter of a name that is being tried.
            "OPTIONS": {"MAX_ENTRIES": 100_000},
        }
        for alias in ("default", "limits")
    }
RATELIMIT_USE_CACHE = "limits"
RATELIMIT_FAIL_OPEN = True
#: `embedded`: threads of the one web process run the sweeps. `celery`: workers and beat on any number of hosts do.
ENGINE = setting("ENGINE", "celery" if REDIS_URL else "embedded")
CELERY_BROKER_URL = REDIS_URL

# --- sending --------------------------------------------------------------------------------------------------------
#: Seconds one call to a provider may take, connect and read together (httpx counts each).
PROVIDER_TIMEOUT = 5.0
# Whether webhooks of ours may go to this machine and to private networks, and without TLS.
WEBHOOKS_MAY_STAY_HERE = setting_bool("WEBHOOKS_MAY_STAY_HERE", default=DEMO)
#: Addresses of the operator's own gateways (phones, modems): an account may name one although it leads into a private
#: network, or has no TLS. Separated by commas.
GATEWAYS = tuple(address for address in map(str.strip, setting("GATEWAYS").split(",")) if address)
#: Seconds after which a claim without an outcome becomes `unknown`; more than five call time-outs (SECURITY D6).
CLAIM_LEASE = 60
#: Seconds after a lease's end from which the provider's log is trusted to know what became of a call (SECURITY D6).
SETTLE_TIME = setting_int("SETTLE_TIME", 900)
#: How often a minute a provider's log may be asked, where an account has more than its provider allows everybody; or 0.
LOG_REQUESTS_PER_MINUTE = setting_int("LOG_REQUESTS_PER_MINUTE", 0)
#: Hours after which a reply that was never sent is given up, and one of unknown outcome is unknown for good.
REPLY_EXPIRY_HOURS = 24
#: Where Plivo is. Only the demo and tests point elsewhere, and only at this machine.
PLIVO_API_URL = setting("PLIVO_API_URL", "https://api.plivo.com").rstrip("/")
TWILIO_API_URL = setting("TWILIO_API_URL", "https://api.twilio.com").rstrip("/")
#: Vonage has one for each region; https://api-eu.vonage.com keeps messages in Europe.
VONAGE_API_URL = setting("VONAGE_API_URL", "https://api.nexmo.com").rstrip("/")
VONAGE_SMS_API_URL = setting("VONAGE_SMS_API_URL", "https://rest.nexmo.com").rstrip("/")

# --- money ----------------------------------------------------------------------------------------------------------
#: The one currency of this platform's prices and budgets, by its ISO 4217 code.
CURRENCY = setting("CURRENCY", "EUR")
#: What all organizations together may spend in a day (UTC), or None. The operator's own lock on the bill.
PLATFORM_DAY_BUDGET = _day_budget(setting("PLATFORM_DAY_BUDGET"))
#: Replies that one person's number gets in a day from all numbers of this platform together.
DESTINATION_REPLIES_PER_DAY = setting_int("DESTINATION_REPLIES_PER_DAY", 10)
#: Replies that an organization's numbers send to one country in an hour.
COUNTRY_REPLIES_PER_HOUR = setting_int("COUNTRY_REPLIES_PER_HOUR", 600)

# --- webhook --------------------------------------------------------------------------------------------------------
WEBHOOK_BODY_LIMIT = 64 * 1024
WEBHOOK_FAILURE_RATE = setting("WEBHOOK_FAILURE_RATE", "60/m")
#: Requests of one key of the API, and wrong keys from one address.
API_RATE = setting("API_RATE", "60/m")
API_GUESS_RATE = "30/m"
LOGIN_RATE_BY_ADDRESS = "10/m"
LOGIN_RATE_BY_NAME = "5/5m"
#: Seconds another process may go on using what a hotline's page said before it was saved.
HOOK_CACHE_SECONDS = 5
#: Seconds a webhook waits for its database, connecting apart; then its message goes to the spool, and the provider,
#: who waits 8 s, gets an answer.
DATABASE_DEADLINE = 2.5
#: Where verified requests wait while the database does not answer: a local disk that outlives the process.
SPOOL_DIR = Path(setting("SPOOL_DIR", str(DATA_DIR / "spool")))
#: What they may take there, in millions of bytes; a message takes about 1,200 bytes. Beyond it providers get 503.
SPOOL_MEGABYTES = setting_int("SPOOL_MEGABYTES", 512)

# --- evidence -------------------------------------------------------------------------------------------------------
#: A time-stamping authority (RFC 3161), which is told a hash value a day and number; empty for none.
TSA_URL = setting("TSA_URL")
#: A PEM file with the certificates that its stamps must come from.
TSA_CERTIFICATES = setting("TSA_CERTIFICATES")
#: Font files, separated by commas, for what the report in PDF cannot draw with its own: Bengali, Chinese, Tamil.
REPORT_FONTS = [Path(path.strip()) for path in setting("REPORT_FONTS").split(",") if path.strip()]

# --- people ---------------------------------------------------------------------------------------------------------
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
ACCOUNT_ADAPTER = "config.second_factor.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGIN_METHODS = {"username"}
#: A demo lets people in by the password that it printed.
SECOND_FACTOR_REQUIRED = not DEMO
MFA_ADAPTER = "config.second_factor.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "Paravent"
MFA_FORMS = {
    "add_webauthn": "config.passkey_forms.AddPasskeyForm",
    "edit_webauthn": "config.passkey_forms.RenamePasskeyForm",
}
#: A code that was typed as its half minute ended is taken.
MFA_TOTP_TOLERANCE = 1
MFA_RECOVERY_CODES_SHOW_ONCE = True
#: Browsers know passkeys on localhost without TLS, and nowhere else.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEMO
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
DEFAULT_FROM_EMAIL = setting("MAIL_FROM", "paravent@localhost")
EMAIL_CONFIG = env.email_url("PARAVENT_MAIL_URL", default="consolemail://" if DEMO else "smtp+tls://localhost:587")
vars().update(EMAIL_CONFIG)
#: Who runs this platform, and is told by mail when messages wait on disk.
ADMINS = [("", address.strip()) for address in setting("OPERATOR_MAIL").split(",") if address.strip()]
SERVER_EMAIL = DEFAULT_FROM_EMAIL
EMAIL_SUBJECT_PREFIX = "Paravent: "
#: Seconds a mail server may take: the embedded engine has one thread, and a mail without an end would end all sending.
EMAIL_TIMEOUT = 10

# --- language and time ----------------------------------------------------------------------------------------------
LANGUAGE_CODE = setting("LANGUAGE", "fr")
#: Each by its own name: who looks for his language may not read the others.
LANGUAGES = [("fr", "français"), ("en", "English"), ("es", "español"), ("de", "Deutsch"), ("ar", "العربية")]
LOCALE_PATHS = [BASE_DIR / "platform/config/locale"]
FORMAT_MODULE_PATH = ["config.formats"]
TIME_ZONE = "UTC"
USE_TZ = True

# --- static files, headers, cookies ---------------------------------------------------------------------------------
STATIC_URL = "static/"
# A demo serves the files from where they lie; production collects them once (`manage.py collectstatic`).
STATIC_ROOT = None if DEMO else DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEMO
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEMO
# Names with a hash, and released widgets, whose bytes never change: a site that embeds one works while we are down.
WHITENOISE_IMMUTABLE_FILE_TEST = r"\.[0-9a-f]{12}\.[^/]+$|/pages/widget-[0-9]+\.js$"
_HTTPS = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_NAME = "__Host-session" if _HTTPS else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if _HTTPS else "csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _HTTPS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Strict"
SESSION_COOKIE_AGE = 8 * 3600
CSRF_COOKIE_HTTPONLY = True
SECURE_HSTS_SECONDS = 31_536_000 if _HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _HTTPS
# ASVS 4.1.2: a webhook or API host refuses plain HTTP at the proxy instead of redirecting what it already received.
SECURE_SSL_REDIRECT = False
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_REFERRER_POLICY = "no-referrer"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "media-src": ["'self'"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
SILENCED_SYSTEM_CHECKS = ["security.W008"]

REST_FRAMEWORK = {
    # No default opens anything: a view that forgets its own classes is closed.
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}

from config.api_description import SPECTACULAR_SETTINGS  # noqa: E402, F401
from config.theme import UNFOLD  # noqa: E402, F401

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"class": "config.logs.Line", "format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "filters": {"floods": {"()": "config.logs.Floods"}, "no_traceback": {"()": "config.logs.NoTraceback"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        # Without Django's own handlers: one mails whole requests, and both would write webhook tokens.
        "django": {"handlers": [], "level": "INFO"},
        "django.server": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "django.request": {"filters": ["floods"]},
        "django.security.DisallowedHost": {"filters": ["no_traceback"]},
        # httpx logs every URL at INFO, and a URL of ours holds a reply's id.
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        # They tell which letters a report has.
        "fontTools": {"level": "WARNING"},
        "fpdf": {"level": "WARNING"},
    },
}
