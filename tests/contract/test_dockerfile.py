"""The image without an engine: what its file says, its build commands in a clean folder, its program, its health check.

Adapted: a virtual environment of this interpreter stands in for the image's Python, and borrows the dependencies that
are installed beside the tests.
"""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from sysconfig import get_path

import pytest
import yaml

from zuinig.core.settings import Settings

ROOT = Path(__file__).parents[2]
SECRET = re.compile(r"(?i)(api_?key|secret|password|passwd|token|credential)")


@dataclass(frozen=True)
class Instruction:
    name: str
    value: str


def instructions() -> list[Instruction]:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return [Instruction(*line.split(maxsplit=1)) for line in lines]


def stages() -> list[list[Instruction]]:
    found: list[list[Instruction]] = []
    for each in instructions():
        if each.name == "FROM":
            found.append([])
        found[-1].append(each)
    return found


BUILD, FINAL = stages()[0], stages()[-1]


def values(stage: list[Instruction], name: str) -> list[str]:
    return [i.value for i in stage if i.name == name]


def copied(stage: list[Instruction]) -> list[tuple[list[str], str]]:
    """(sources, target) of what is copied out of the repository."""
    return [(v.split()[:-1], v.split()[-1]) for v in values(stage, "COPY") if not v.startswith("--from")]


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for value in values(FINAL, "ENV") for pair in value.split())


def ignored(path: str) -> bool:
    """As Docker reads .dockerignore: a pattern begins at the root and covers what is below it; the last one counts."""
    found = False
    for line in (ROOT / ".dockerignore").read_text().split():
        pattern = line.removeprefix("!").strip("/").split("/")
        parts = path.split("/")
        if any(_matches(parts[:n], pattern) for n in range(1, len(parts) + 1)):
            found = not line.startswith("!")
    return found


def _matches(parts: list[str], pattern: list[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[n:], pattern[1:]) for n in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


# What the files say


def test_the_image_is_made_in_a_stage_of_its_own_and_takes_only_its_result() -> None:
    assert len(stages()) == 2
    assert BUILD[0].value.endswith(" AS build")
    assert values(FINAL, "COPY") == ["--from=build /venv /venv"]
    assert not any("pip" in run for run in values(FINAL, "RUN"))


def test_both_stages_have_the_same_python_of_a_named_version() -> None:
    images = {stage[0].value.split()[0] for stage in stages()}
    [image] = images
    name, _, tag = image.partition(":")
    assert name == "python"
    assert re.match(r"3\.\d+", tag)


def test_it_does_not_run_as_root_and_owns_its_volume() -> None:
    names = [i.name for i in FINAL]
    [user], [volume] = values(FINAL, "USER"), values(FINAL, "VOLUME")
    assert user not in ("root", "0")
    assert "RUN" not in names[names.index("USER") :]
    made = " ".join(values(FINAL, "RUN"))
    assert f"useradd --uid 10001 --create-home {user}" in made
    assert f"chown {user} {volume}" in made
    # What is done to a volume's folder after the VOLUME line is thrown away.
    assert max(n for n, name in enumerate(names) if name == "RUN") < names.index("VOLUME")
    assert environment()["ZUINIG_DATA_DIR"] == volume


def test_there_are_no_secrets_in_it() -> None:
    arguments = [each.value for stage in stages() for each in stage if each.name == "ARG"]
    assert not [name for name in [*arguments, *environment()] if SECRET.search(name)]
    for path in ("data/admin.key", "data/zuinig.db", ".git/config", ".venv/bin/python"):
        assert ignored(path)
    odd = [p for p in (ROOT / "zuinig").rglob("*") if p.suffix in (".key", ".pem", ".db", ".env") or p.name == ".env"]
    assert odd == []


def test_each_file_that_is_copied_is_there_and_reaches_the_engine() -> None:
    sources = [source for sources, _ in copied(BUILD) for source in sources]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert not ignored(source), source
    assert ignored("zuinig/core/__pycache__/db.cpython-312.pyc")


@pytest.mark.parametrize("path", ["zuinig/data/tiktoken/x", "zuinig/models/x/model.onnx", "zuinig/migrations/env.py"])
def test_what_the_package_needs_is_not_kept_back(path: str) -> None:
    assert not ignored(path)


def test_the_settings_of_image_and_compose_may_listen_beyond_the_container() -> None:
    given = {**environment(), **compose()["environment"]}
    chosen = {name.removeprefix("ZUINIG_").lower(): v for name, v in given.items() if name.startswith("ZUINIG_")}
    assert set(chosen) <= set(Settings.model_fields)
    settings = Settings(**chosen)
    settings.check_exposure()
    assert values(FINAL, "EXPOSE") == [str(settings.port)]


def compose() -> dict:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["zuinig"]


def test_compose_keeps_the_data_listens_on_this_machine_alone_and_watches_its_health() -> None:
    service = compose()
    assert service["build"] == "."
    [port], [volume] = service["ports"], service["volumes"]
    assert port == f"127.0.0.1:{values(FINAL, 'EXPOSE')[0]}:{values(FINAL, 'EXPOSE')[0]}"
    name, target = volume.split(":")
    assert name in yaml.safe_load((ROOT / "compose.yaml").read_text())["volumes"]
    assert target == environment()["ZUINIG_DATA_DIR"]
    # Its own, or that of the image, which it must not switch off.
    assert service.get("healthcheck", {}).get("disable") is not True
    assert health_check()
    assert service["read_only"]
    assert "/tmp" in service["tmpfs"]


def health_check() -> list[str]:
    [value] = values(FINAL, "HEALTHCHECK")
    return json.loads(value.partition("CMD ")[2])


# What the files do


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build stage, run: the folder that stands for /venv."""
    folder = tmp_path_factory.mktemp("image")
    source, venv = folder / "src", folder / "venv"
    source.mkdir()
    for sources, target in copied(BUILD):
        for name in sources:
            _copy(ROOT / name, source / target / ("" if len(sources) == 1 else name))
    for command in values(BUILD, "RUN"):
        adapted = re.sub(r"^python ", f"{sys.executable} ", command).replace("/venv", str(venv))
        adapted = adapted.replace("pip install ", "pip install --quiet --disable-pip-version-check --no-deps ")
        done = subprocess.run(["sh", "-c", adapted], cwd=source, capture_output=True, text=True)
        if "Could not find a version that satisfies the requirement hatchling" in done.stderr:
            pytest.skip("no package index is at hand, and the build backend comes from there")
        assert done.returncode == 0, done.stderr
        [packages] = venv.glob("lib/python*/site-packages")
        (packages / "borrowed.pth").write_text(get_path("purelib"))
    return venv


def _copy(source: Path, target: Path) -> None:
    def unwanted(folder: str, names: list[str]) -> list[str]:
        return [n for n in names if ignored((Path(folder) / n).relative_to(ROOT).as_posix())]

    if source.is_dir():
        shutil.copytree(source, target, ignore=unwanted)
    else:
        shutil.copy(source, target)


def run(image: Path, *command: str, **more: str) -> subprocess.Popen[str]:
    """As the engine would: nothing of this shell, the image's settings, and a home that cannot be written."""
    settings = {**environment(), "PATH": f"{image}/bin:/usr/bin:/bin", "HOME": "/nonexistent", **more}
    return subprocess.Popen(command, env=settings, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finished(image: Path, *command: str, **more: str) -> tuple[int, str]:
    with run(image, *command, **more) as process:
        out, _ = process.communicate(timeout=120)
    return process.returncode, out


def test_the_package_in_the_image_is_whole(image) -> None:
    [packages] = image.glob("lib/python*/site-packages")
    wanted = {
        p.relative_to(ROOT)
        for p in (ROOT / "zuinig").rglob("*")
        if p.is_file() and not ignored(p.relative_to(ROOT).as_posix())
    }
    built = {p.relative_to(packages) for p in (packages / "zuinig").rglob("*") if p.is_file()}
    assert wanted <= built
    for name in ("models/all-MiniLM-L6-v2-int8/model.onnx", "app/portal/templates/home.html"):
        assert (packages / "zuinig" / name).read_bytes() == (ROOT / "zuinig" / name).read_bytes()


def test_the_program_of_the_image_is_there_and_is_not_the_one_beside_the_tests(image) -> None:
    program, *arguments = json.loads(values(FINAL, "CMD")[0])
    assert (image / "bin" / program).is_file()
    code, out = finished(image, str(image / "bin" / program), *arguments, "--help")
    assert code == 0
    assert "Start the service" in out
    code, out = finished(image, "python", "-c", "import zuinig; print(zuinig.__file__)", PATH=f"{image}/bin")
    assert out.startswith(str(image))


def test_the_service_becomes_healthy_and_ends_when_it_is_told_to(image, tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    check = [part.replace(values(FINAL, "EXPOSE")[0], port) for part in health_check()]
    check[0] = str(image / "bin" / check[0])
    program, *arguments = json.loads(values(FINAL, "CMD")[0])
    assert finished(image, *check)[0] != 0
    settings = {"ZUINIG_DATA_DIR": str(tmp_path / "data"), "ZUINIG_HOST": "127.0.0.1", "ZUINIG_PORT": port}
    with run(image, str(image / "bin" / program), *arguments, **settings) as service:
        try:
            until = time.monotonic() + 90
            while finished(image, *check)[0] != 0:
                assert service.poll() is None, service.stdout.read()
                assert time.monotonic() < until, "it did not become healthy"
                time.sleep(0.5)
            service.send_signal(signal.SIGTERM)
            out, _ = service.communicate(timeout=60)
        finally:
            service.kill()
    # uvicorn shuts down and then lets the signal have its way.
    assert service.returncode in (0, -signal.SIGTERM), out
    assert "Traceback" not in out
    assert "/readyz" in out
