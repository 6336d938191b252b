"""deploy/ as those read it who use it: the container's builder, systemd, the proxy."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from setuptools.dist import Distribution  # type: ignore[import-untyped]

from conftest import REPOSITORY
from transxv2s.serve.running import GRACE_SECONDS
from transxv2s.serve.settings import Settings

DEPLOY = REPOSITORY / "deploy"
UNIT = DEPLOY / "transxv2s.service"
SETTINGS = "/etc/transxv2s/settings.yaml"
PROGRAM = "/opt/transxv2s/bin/transxv2s"
SAFE_ENOUGH = "20"  # tenths of systemd's exposure level, which goes from 0 (none) to 10
PIN = re.compile(r"^([a-z0-9.-]+)==(\S+)", re.MULTILINE)
SECRETS = re.compile(r"password|passwd|secret|token|credential|api_?key", re.IGNORECASE)


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile: each with its arguments, on one line."""
    text = (DEPLOY / "Dockerfile").read_text()
    whole = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in whole.splitlines() if line.strip()]
    return [(name, " ".join(rest.split())) for name, rest in lines]


def last(name: str) -> str:
    return [arguments for found, arguments in instructions() if found == name][-1]


def systemd_analyze(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = shutil.which("systemd-analyze")
    if command is None:
        pytest.skip("needs systemd-analyze (Debian: apt install systemd)")
    return subprocess.run([command, *map(str, arguments)], capture_output=True, check=False, text=True)  # noqa: S603


def unit_says(key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", UNIT.read_text(), re.MULTILINE)


def test_the_container_runs_as_a_numbered_user_without_rights() -> None:
    user, group = last("USER").split(":")
    assert int(user) >= 1000
    assert int(group) >= 1000
    final = instructions()[[name for name, _ in instructions()].index("ENTRYPOINT") :]
    assert not {"USER", "RUN", "COPY"} & {name for name, _ in final}


def test_the_container_tells_whether_it_is_well_without_further_programs() -> None:
    check = last("HEALTHCHECK")
    assert '"python"' in check
    assert f"http://127.0.0.1:{Settings().port}/health" in check
    assert last("EXPOSE") == str(Settings().port)


def test_the_container_starts_the_server() -> None:
    scripts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["scripts"]
    assert last("ENTRYPOINT") == f'["{next(iter(scripts))}"]'
    assert last("CMD") == f'["serve", "--config", "{SETTINGS}"]'


def test_what_is_copied_into_the_container_is_there_and_let_through() -> None:
    let_through = (REPOSITORY / ".dockerignore").read_text().splitlines()
    copied = [a for name, a in instructions() if name == "COPY" and not a.startswith("--from")]
    assert copied
    for source in (source for arguments in copied for source in arguments.split()[:-1]):
        path = source.replace("${LOCK}", last("ARG").partition("=")[2])
        assert (REPOSITORY / path).exists(), path
        assert {f"!{path}", f"!{path.split('/')[0]}", "!deploy/*.lock"} & set(let_through), path


def test_the_container_installs_what_is_locked_and_holds_no_secret() -> None:
    for name, arguments in instructions():
        assert name != "ADD"
        if name in ("ENV", "ARG", "COPY"):
            assert not SECRETS.search(arguments), arguments
        for line in re.findall(r"pip install[^&]*", arguments):
            assert "--require-hashes" in line or "--no-deps" in line


def test_the_lock_of_the_server_is_part_of_the_one_that_is_tested() -> None:
    tested, ours = (
        dict(PIN.findall((folder / "requirements.lock").read_text())) for folder in (REPOSITORY, DEPLOY)
    )
    assert ours.items() <= tested.items()
    assert {"fastapi", "torch", "psycopg"} <= ours.keys()
    assert not {"pytest", "mypy", "ruff", "playwright", "schemathesis"} & ours.keys()


def test_an_installation_has_all_files_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    distribution = Distribution({"script_name": "setup.py"})  # distutils wants a name
    distribution.parse_config_files()
    distribution.include_package_data = False  # what version control knows does not count
    build = distribution.get_command_obj("build_py")
    build.ensure_finalized()
    given = {Path(folder, name) for _, folder, _, names in build.data_files for name in names}
    given |= {Path(file) for _, _, file in build.find_all_modules()}
    package = Path("src", "transxv2s")
    there = {path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert there - given == set()


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace(PROGRAM, sys.executable))
    checked = systemd_analyze("verify", "--man=no", "--recursive-errors=no", copy)
    assert [line for line in checked.stderr.splitlines() if UNIT.name in line] == []
    assert checked.returncode == 0


def test_systemd_finds_the_unit_little_exposed() -> None:
    checked = systemd_analyze("security", "--offline=true", f"--threshold={SAFE_ENOUGH}", UNIT)
    assert checked.returncode == 0, checked.stdout[-200:] + checked.stderr


def test_the_unit_starts_the_server_and_waits_for_its_end() -> None:
    assert unit_says("ExecStart") == [f"{PROGRAM} serve --config {SETTINGS}"]
    assert int(unit_says("TimeoutStopSec")[0]) >= Settings().work_seconds + GRACE_SECONDS
    assert unit_says("NoNewPrivileges") == ["yes"]
    assert unit_says("ProtectSystem") == ["strict"]


def test_the_settings_are_for_a_server_behind_the_proxy() -> None:
    settings = Settings.load(DEPLOY / "settings.yaml")
    proxy = (DEPLOY / "nginx.conf").read_text()
    assert settings.needs_users
    assert settings.is_local  # nobody gets past the proxy
    assert settings.data_dir == Path("/var/lib") / unit_says("StateDirectory")[0]
    assert set(re.findall(r"server_name (\S+);", proxy)) == set(settings.hosts)
    assert f"proxy_pass http://{settings.host}:{settings.port};" in proxy


def test_nginx_takes_the_configuration(tmp_path: Path) -> None:
    nginx, openssl = shutil.which("nginx"), shutil.which("openssl")
    if nginx is None or openssl is None:
        pytest.skip("needs nginx and openssl (Debian: apt install nginx openssl)")
    if os.geteuid() != 0:
        pytest.skip("nginx tries the ports 80 and 443, which need root")
    key, certificate = tmp_path / "privkey.pem", tmp_path / "fullchain.pem"
    made = [openssl, "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=x", "-days", "1"]
    made += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)  # noqa: S603
    ours = (DEPLOY / "nginx.conf").read_text().replace("/etc/ssl/transxv2s", str(tmp_path))
    whole = f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; {ours} }}"
    (tmp_path / "nginx.conf").write_text(whole)
    command = [nginx, "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    checked = subprocess.run(command, capture_output=True, check=False, text=True)  # noqa: S603
    assert checked.returncode == 0, checked.stderr


def test_the_proxy_slows_down_who_guesses_passwords_and_nobody_else() -> None:
    proxy = (DEPLOY / "nginx.conf").read_text()
    [block] = re.findall(r"location = /v1/session \{(.*?)\}", proxy, re.DOTALL)
    assert "limit_req zone=sign_in" in block
    assert "limit_req_status 429;" in block
    assert re.search(r'map \$request_method \$signs_in \{\s+default "";\s+POST \$binary_remote_addr;', proxy)
    assert len(re.findall(r"\blimit_req\b", proxy)) == 1


def test_the_proxy_lets_through_what_the_server_takes() -> None:
    proxy = (DEPLOY / "nginx.conf").read_text()
    assert f"client_max_body_size {Settings().max_case_bytes};" in proxy
