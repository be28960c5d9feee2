"""Everything an operator can set, read from the environment (prefix ``QINGSHENG_``) and from ``.env``."""

from __future__ import annotations

import os
import secrets
from ipaddress import ip_network
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
SEED = Path(__file__).resolve().parent / "seed"

MIN_SECRET = 32


class Settings(BaseSettings):
    """One process's settings; every name here is documented in docs/operator.md."""

    model_config = SettingsConfigDict(env_prefix="QINGSHENG_", env_file=".env", extra="ignore", frozen=True)

    database_url: str = ""
    redis_url: str = ""
    data_dir: Path = Path("./var")
    secret_key: SecretStr = SecretStr("")
    channels_file: Path | None = None
    demo_password: SecretStr = SecretStr("")
    host: str = "127.0.0.1"
    trusted_proxies: str = "127.0.0.1,::1"
    port: int = Field(default=8000, ge=1, le=65535)
    engine: str = "local"
    environment: Literal["development", "production"] = "development"
    api_token: SecretStr = SecretStr("")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        """Accept what people type and name the driver ourselves."""
        for scheme, driver in (("postgres://", "postgresql+asyncpg://"), ("postgresql://", "postgresql+asyncpg://")):
            if value.startswith(scheme):
                value = driver + value[len(scheme) :]
        if value.startswith("sqlite://"):
            value = "sqlite+aiosqlite" + value[len("sqlite") :]
        if value and not value.startswith(("postgresql+asyncpg://", "sqlite+aiosqlite://")):
            raise ValueError("must start with postgresql:// or sqlite:///")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _known_proxies(cls, value: str) -> str:
        """Addresses and networks; never "*", with which every caller could choose the address we count them by."""
        proxies = [part.strip() for part in value.split(",") if part.strip()]
        for proxy in proxies:
            try:
                ip_network(proxy)
            except ValueError as error:
                raise ValueError(f"must be addresses or networks such as 10.0.0.0/8, not {proxy!r}") from error
        return ",".join(proxies)

    @field_validator("engine")
    @classmethod
    def _known_engine(cls, value: str) -> str:
        if value != "local":
            raise ValueError("must be 'local' in this version")
        return value

    @field_validator("secret_key")
    @classmethod
    def _long_secret(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and len(value.get_secret_value()) < MIN_SECRET:
            raise ValueError(f"must have at least {MIN_SECRET} characters")
        return value

    def database(self) -> str:
        """The SQLAlchemy URL: PostgreSQL if set, else one SQLite file in the data directory."""
        return self.database_url or f"sqlite+aiosqlite:///{(self.data_dir / 'qingsheng.sqlite3').resolve()}"

    def secret(self) -> bytes:
        """The key that signs cookies and access codes: as set, else one kept in the data directory (mode 0600)."""
        if self.secret_key.get_secret_value():
            return self.secret_key.get_secret_value().encode()
        path = self.data_dir / "secret.key"
        self.data_dir.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_bytes().strip()
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_hex(32).encode())
        return path.read_bytes().strip()
