from pathlib import Path

import pytest

from zuinig.core import settings as module
from zuinig.core.errors import ConfigurationError
from zuinig.core.settings import Settings, load

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def no_settings_of_this_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"ZUINIG_{name.upper()}", raising=False)
        monkeypatch.delenv(f"ZUINIG_{name.upper()}_FILE", raising=False)


def test_the_page_of_settings_is_the_one_made_of_the_code() -> None:
    assert module.markdown() in (ROOT / "docs" / "settings.md").read_text()


def test_every_setting_is_described_and_has_a_row() -> None:
    rows = module.markdown().splitlines()[2:]
    assert len(rows) == len(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert any(row.startswith(f"| `ZUINIG_{name.upper()}` |") for row in rows)
        assert all(row.count("|") == 4 for row in rows)


def test_the_page_of_settings_is_the_same_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    before = module.markdown()
    monkeypatch.setenv("HOME", "/elsewhere")
    monkeypatch.setenv("XDG_DATA_HOME", "/elsewhere/data")
    assert module.markdown() == before


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZUINIG_PORT", "9000")
    monkeypatch.setenv("ZUINIG_HOST", "")
    assert (load().port, load().host) == (9000, "127.0.0.1")


def test_wrong_settings_are_all_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZUINIG_PORT", "0")
    monkeypatch.setenv("ZUINIG_CURRENCY", "euro")
    monkeypatch.setenv("ZUINIG_LOG_LEVEL", "loud")
    with pytest.raises(ConfigurationError) as error:
        load()
    for name in ("ZUINIG_PORT", "ZUINIG_CURRENCY", "ZUINIG_LOG_LEVEL"):
        assert name in error.value.message


def test_a_key_is_not_shown_when_settings_are_printed() -> None:
    assert "sk-secret" not in repr(Settings(llm_api_key="sk-secret"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_public_url(host: str) -> None:
    Settings(host=host).check_exposure()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "zuinig.example.org"])
def test_listening_beyond_loopback_is_refused_without_a_public_url(host: str) -> None:
    with pytest.raises(ConfigurationError, match="ZUINIG_PUBLIC_URL"):
        Settings(host=host).check_exposure()


@pytest.mark.parametrize("url", ["http://zuinig.example.org", "zuinig.example.org", "http://10.0.0.8:8321"])
def test_a_public_url_without_tls_is_refused_unless_allowed(url: str) -> None:
    with pytest.raises(ConfigurationError, match="ZUINIG_ALLOW_PLAIN_HTTP"):
        Settings(host="0.0.0.0", public_url=url).check_exposure()
    Settings(host="0.0.0.0", public_url=url, allow_plain_http=True).check_exposure()


@pytest.mark.parametrize("url", ["https://zuinig.example.org", "http://localhost:8321", "http://[::1]:8321/"])
def test_a_public_url_with_tls_or_on_loopback_may_listen_anywhere(url: str) -> None:
    Settings(host="0.0.0.0", public_url=url).check_exposure()


def test_the_base_url_is_the_public_one_or_the_address() -> None:
    assert Settings(public_url="https://a.example/").base_url == "https://a.example"
    assert Settings(host="::1", port=99).base_url == "http://[::1]:99"
    assert Settings(public_url="https://a.example").secure_cookies
    assert not Settings().secure_cookies


def test_only_sqlite_is_a_database() -> None:
    assert Settings(data_dir="/somewhere").url == "sqlite:////somewhere/zuinig.db"
    with pytest.raises(ConfigurationError, match="sqlite"):
        _ = Settings(database_url="postgresql://localhost/zuinig").url


@pytest.mark.parametrize("name", module.secrets())
def test_a_secret_is_read_from_a_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("sk-of-a-file\n")
    monkeypatch.setenv(f"ZUINIG_{name.upper()}_FILE", str(tmp_path / "secret"))
    found = getattr(load(), name)
    assert found.get_secret_value() == "sk-of-a-file"
    assert "sk-of-a-file" not in repr(load())


def test_a_secret_comes_from_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("sk-of-a-file")
    monkeypatch.setenv("ZUINIG_LLM_API_KEY_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("ZUINIG_LLM_API_KEY", "sk-plain")
    with pytest.raises(ConfigurationError, match="not both") as error:
        load()
    assert "sk-" not in error.value.message


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
def test_a_file_that_holds_no_secret_is_named(content: bytes | None, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("ZUINIG_LLM_API_KEY_FILE", str(path))
    with pytest.raises(ConfigurationError, match=f"ZUINIG_LLM_API_KEY_FILE names .*{path}"):
        load()


def test_each_key_among_the_settings_is_a_secret() -> None:
    named = {name for name in Settings.model_fields if name.endswith(("_key", "_secret", "_password", "_token"))}
    assert named <= set(module.secrets())
