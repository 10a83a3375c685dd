"""Django's settings, derived from `hutch.settings`. Nothing here can be set from outside."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from hutch.settings import Settings, current

_settings = current()


def _database(settings: Settings) -> dict[str, Any]:
    if not settings.database_url:
        pragmas = (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
            "PRAGMA cache_size=-16000; PRAGMA temp_store=MEMORY;"
        )
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": settings.data / "hutch.sqlite3",
            "CONN_MAX_AGE": None,
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": pragmas},
        }
    url = urlsplit(settings.database_url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path.lstrip("/"),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": unquote(url.hostname or ""),
        "PORT": url.port or "",
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
    }


def _mail(settings: Settings) -> dict[str, Any]:
    url = urlsplit(settings.smtp_url)
    if not url.hostname:
        return {"EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend"}
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": url.hostname,
        "EMAIL_PORT": url.port or (465 if url.scheme == "smtps" else 25),
        "EMAIL_HOST_USER": unquote(url.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(url.password or ""),
        "EMAIL_USE_SSL": url.scheme == "smtps",
        "EMAIL_USE_TLS": "tls=starttls" in url.query,
        "EMAIL_TIMEOUT": 20,
    }


SECRET_KEY = _settings.secret.hex()
DEBUG = False
ALLOWED_HOSTS = ["*"]  # links never trust the Host: core.addresses decides what may stand in them
DATABASES = {"default": _database(_settings)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "hutch.core",
    "hutch.accounts",
    "hutch.cas",
    "hutch.repos",
    "hutch.buckets",
    "hutch.inference",
    "hutch.web",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "hutch.accounts.middleware.ActorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "hutch.web.middleware.PageMiddleware",
]
ROOT_URLCONF = "hutch.routes"
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "hutch.web.context.site",
            ]
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
INSTALLED_APPS.append("django.forms")

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _settings.url.startswith("https://")
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "hutch_session"
SESSION_ENGINE = "hutch.accounts.sessions"
CSRF_COOKIE_NAME = "hutch_csrf"
CSRF_FAILURE_VIEW = "hutch.web.pages.forged"
SESSION_COOKIE_AGE = 30 * 86400
PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/"
DEFAULT_FROM_EMAIL = _settings.mail_from
DATA_UPLOAD_MAX_MEMORY_SIZE = None  # the bridge limits bodies
FILE_UPLOAD_TEMP_DIR = str(_settings.data)
LOGGING_CONFIG = None

ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_ADAPTER = "hutch.accounts.identity.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if _settings.smtp_url else "none"
ACCOUNT_RATE_LIMITS = {
    "login": "300/m/ip",  # a whole office may come from one address
    "login_failed": f"{_settings.rate_limit_attempts}/5m/key,{_settings.rate_limit_attempts * 5}/5m/ip",
}
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_USERNAME_MIN_LENGTH = 2
ACCOUNT_PRESERVE_USERNAME_CASING = True
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_SESSION_REMEMBER = True
USERSESSIONS_TRACK_ACTIVITY = False  # a write for every page
MFA_ADAPTER = "hutch.accounts.identity.MFAAdapter"
MFA_TOTP_ISSUER = _settings.site_name
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not _settings.url.startswith("https://")
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

globals().update(_mail(_settings))
