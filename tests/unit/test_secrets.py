"""What is taken for a secret, and what may go to a Batch task."""

import base64
import re
from datetime import timedelta
from types import SimpleNamespace

import pytest
from azure.mgmt.batch.models import BatchPoolIdentity, Pool, ResourceFile, StartTask
from snakemake_executor_plugin_azure_batch import build
from snakemake_interface_executor_plugins.settings import SharedFSUsage
from snakemake_storage_plugin_s3 import StorageProviderSettings

from canaries import ENVIRONMENT
from fabricate import ROOT, name_of
from snakemake_executor_plugin_azure.pool import allow_start_script
from snakemake_executor_plugin_azure.tasks import allowed_variables, refusal, repair_task
from tigerbush.cli.results.storage import open_storage
from tigerbush.errors import TigerbushError
from tigerbush.planning import credentials, nodes, source
from tigerbush.sensors import sensor_of

NOUN = "contains a user, password, key or signature in a URL, which everyone can see who reads a configuration, log or result"
SENTENCE = f"{{}} {NOUN}; remove it, and set keys in the environment (docs/sources.md)."
SHOWN = [
    "https://user:secret@host",
    "https://user@host/path",
    "https://:secret@host",
    "HTTPS://user:secret@host:8443/",
    "s3://user:secret@bucket/key",
    "smb://user:sec/ret@host/share",
    "https://user:12345@host",
    "https://user:sec?ret@host",
    "//user:secret@host/share",
    "user:secret@host:9000",
    "see https://user:secret@host for more",
    "https://store.blob.core.windows.net/c?sv=2024&sig=abc",
    "https://host/key?X-Amz-Signature=abc",
    "DefaultEndpointsProtocol=https;AccountName=store;AccountKey=abc==",
    "BlobEndpoint=https://store;SharedAccessSignature=sv=2024",
]
HARMLESS = [
    "https://host",
    "https://host:9000",
    "https://host:9000/a/b@c",
    "http://[::1]:9000/a@b",
    "https://host/a?b=c@d",
    "az://runs/sahel",
    "s3://bucket/S2A_MSIL1C@x",
    "docker://name@sha256:0123",
    "registry.azurecr.io/tigerbush@sha256:0123",
    "registry.azurecr.io:443/tigerbush:1@sha256:0123",
    "someone@example.org",
    "2016-01-01T10:00:00",
    "a=b",
]


@pytest.mark.parametrize("text", SHOWN)
def test_a_credential_in_a_url(text):
    with pytest.raises(TigerbushError) as raised:
        credentials.refuse_credentials({"source": {"prefixes": ["a/", text]}}, "")
    assert str(raised.value) == SENTENCE.format("source.prefixes.1")


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_credential(text):
    credentials.refuse_credentials({text: [text]}, "")


def test_a_key_of_the_configuration_is_not_shown_either():
    for config in ({SHOWN[0]: 1}, {SHOWN[0]: {"a": SHOWN[1]}}):
        with pytest.raises(TigerbushError) as raised:
            credentials.refuse_credentials(config, "")
        assert str(raised.value) == SENTENCE.format("the configuration")


def test_texts_and_their_places():
    value = {"a": ["x", ("y", 1)], 2: {"b": None}}
    assert list(credentials.texts_in(value, "")) == [
        ("", "a"), ("a.0", "x"), ("a.1.0", "y"), ("", "2"), ("2", "b"),
    ]  # fmt: skip


def test_addresses_of_the_environment():
    """Those of a run; what is a secret by its name is looked at elsewhere."""
    fine = {"OTHER_URL": SHOWN[0], "AWS_SECRET_ACCESS_KEY": SHOWN[0], "AWS_ENDPOINT_URL": HARMLESS[0]}
    credentials.refuse_environment(fine)
    for name in ("AWS_ENDPOINT_URL", "AZURE_X", "SNAKEMAKE_STORAGE_S3_ENDPOINT_URL", "TIGERBUSH_X"):
        with pytest.raises(TigerbushError) as raised:
            credentials.refuse_environment(fine | {name: SHOWN[0]})
        assert str(raised.value) == SENTENCE.format(name)


@pytest.mark.parametrize(
    ("address", "options", "place"),
    [
        ("s3://user:secret@bucket/run", {}, "the address of results"),
        ("s3://bucket/run", {"endpoint_url": "https://user:secret@host"}, "--endpoint-url"),
    ],
)
def test_the_place_of_results(address, options, place):
    with pytest.raises(TigerbushError) as raised:
        open_storage(address, **options)
    assert str(raised.value) == SENTENCE.format(place)


def test_secrets_of_the_environment(tmp_path):
    others = {
        "AWS_REGION": "eu-central-1",
        "AWS_SHARED_CREDENTIALS_FILE": "/home/someone/.aws",
        "SSH_PRIVATE_KEY": str(tmp_path),
        "SHORT_TOKEN": "x",
        "TOKENIZERS_PARALLELISM": "false-or-true",
    }
    values = credentials.secret_values(ENVIRONMENT | others | {"TAGGED_TOKEN": "source::another-canary"})
    assert values == ENVIRONMENT | {"TAGGED_TOKEN": "another-canary"}


def test_command_lines_are_decoded():
    encoded = base64.b64encode(b"mem_mb=1000 secret-value").decode()
    assert credentials.decode_base64_parts(f"--set-resources base64//{encoded} --cores 1").endswith(
        "mem_mb=1000 secret-value"
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("export AWS_SECRET_ACCESS_KEY=abc && x", ["AWS_SECRET_ACCESS_KEY"]),
        ("slurm_extra='--export=ALL,CDSE_PASSWORD=abc'", ["CDSE_PASSWORD"]),
        ('A_TOKEN="abc"', ["A_TOKEN"]),
        ("export A_TOKEN=$(cat token) B_KEY=$B", []),
        ("export PATH=/opt TZ=UTC --config key=x monkey=y", []),
    ],
)
def test_assignments_to_secret_variables(text, named):
    assert credentials.ASSIGNMENT.findall(text) == named


@pytest.mark.parametrize(
    ("settings", "variables", "option"),
    [
        ({"access_key": "abcd"}, {}, "access-key"),
        ({"secret_key": "abcd"}, {"SNAKEMAKE_STORAGE_S3_SECRET_KEY": "other"}, "secret-key"),
        ({"token": "abcd"}, {"SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "abcd"}, "token"),
        ({"token": "abcd", "access_key": "k"}, {"SNAKEMAKE_STORAGE_S3_TOKEN": "abcd", "SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "t::k"}, None),
        ({"region": "here", "signature_version": "s3v4"}, {}, None),
    ],
)  # fmt: skip
def test_a_key_that_is_not_from_the_environment(settings, variables, option):
    from snakemake_interface_storage_plugins.registry import StoragePluginRegistry

    plugin = StoragePluginRegistry().get_plugin("s3")
    chosen = StorageProviderSettings(**settings)
    if option is None:
        credentials.refuse_plugin_settings(plugin, chosen, variables)
        return
    with pytest.raises(TigerbushError) as raised:
        credentials.refuse_plugin_settings(plugin, chosen, variables)
    variable = f"SNAKEMAKE_STORAGE_S3_{option.replace('-', '_').upper()}"
    assert str(raised.value) == (
        f"--storage-s3-{option} was given on the command line or in a profile, where others can read it; set {variable} "
        "in the environment instead, and replace the exposed secret."
    )


def test_an_address_among_the_settings_of_a_plugin():
    from snakemake_interface_storage_plugins.registry import StoragePluginRegistry

    plugin = StoragePluginRegistry().get_plugin("s3")
    with pytest.raises(TigerbushError) as raised:
        credentials.refuse_plugin_settings(plugin, StorageProviderSettings(endpoint_url=SHOWN[0]), {})
    assert str(raised.value) == SENTENCE.format("--storage-s3-endpoint-url")


SECRETS = {"A_TOKEN": "secret-value"}
OPTIONS = [("--storage-s3-secret-key", "SNAKEMAKE_STORAGE_S3_SECRET_KEY"), ("--x-token", "SNAKEMAKE_X_TOKEN")]


def test_options_that_take_a_secret():
    from snakemake_interface_storage_plugins.registry import StoragePluginRegistry

    plugins = [StoragePluginRegistry().get_plugin("s3"), SimpleNamespace(settings_cls=None)]
    assert credentials.secret_options(plugins) == [
        (f"--storage-s3-{name}", f"SNAKEMAKE_STORAGE_S3_{name.replace('-', '_').upper()}")
        for name in ("access-key", "secret-key", "token")
    ]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("mem_mb=1 secret-value", "A_TOKEN"),
        (f"--set base64//{base64.b64encode(b'x=secret-value').decode()}", "A_TOKEN"),
        ("A_KEY=abc", "A_KEY"),
    ],
)
def test_the_value_of_a_secret(text, named):
    with pytest.raises(TigerbushError) as raised:
        credentials.refuse_secrets(text, "here", SECRETS)
    assert str(raised.value) == (
        f"here would show the value of {named} to others; remove it, set {named} in the environment, and replace the "
        f"exposed secret."
    )


def test_other_values():
    credentials.refuse_secrets("--cores 1 secret", "here", SECRETS)
    with pytest.raises(TigerbushError) as raised:
        credentials.refuse_secrets(SHOWN[0], "here", {})
    assert str(raised.value) == SENTENCE.format("here")


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["snakemake", "--storage-s3-secret-key", "x"], 0),
        # Snakemake takes the beginning of an option
        (["--x-to=x"], 1),
        (["--cores", "--x"], 1),
    ],
)
def test_a_secret_on_the_command_line(words, option):
    name, variable = OPTIONS[option]
    with pytest.raises(TigerbushError) as raised:
        credentials.refuse_command_line(iter(words), OPTIONS, SECRETS)
    assert str(raised.value) == (
        f"{name} was given on the command line or in a profile, where others can read it; set {variable} in the "
        f"environment instead, and replace the exposed secret."
    )


def test_other_words():
    credentials.refuse_command_line(
        ["-x", "--", "--storage-s3-secret-keys", "--cores=1", "x"], OPTIONS, SECRETS
    )
    with pytest.raises(
        TigerbushError, match=r"^the command line would show the value of A_TOKEN to others; "
    ):
        credentials.refuse_command_line(["--config", "a=secret-value"], OPTIONS, SECRETS)


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("a.txt", "x secret-value", "A_TOKEN"),
        ("a.yaml", "a: 1\n  storage-s3-secret-key: x\n", "storage-s3-secret-key"),
        ("a.yml", "'x-token' = x", "x-token"),
        ("a.txt", "x-token: x", None),
        ("a.yaml", "# x-token: x\nx-token-of: x", None),
    ],
)
def test_a_secret_in_a_file_that_travels(tmp_path, name, text, named):
    path = tmp_path / name
    path.write_bytes(b"\xff\n" + text.encode())
    paths = ["", str(tmp_path), str(tmp_path / "gone"), str(path)]
    if named is None:
        credentials.refuse_files(paths, OPTIONS, SECRETS)
        return
    with pytest.raises(TigerbushError) as raised:
        credentials.refuse_files(paths, OPTIONS, SECRETS)
    assert str(raised.value) == (
        f"{path} contains {named}, and is sent to the nodes in a blob that others can read; remove it, set it in the "
        f"environment, and replace the exposed secret."
    )


def test_only_names_and_addresses_go_to_a_task():
    allowed = {
        "SNAKEMAKE_STORAGE_AZURE_ACCOUNT_NAME": "tigerstore",
        "SNAKEMAKE_STORAGE_S3_ENDPOINT_URL": "https://host",
        "SNAKEMAKE_STORAGE_S3_REGION": "here",
    }
    assert allowed_variables(ENVIRONMENT | allowed | {"HTTP_AUTH": "x"}) == allowed
    assert refusal(allowed) is None
    assert refusal(["MY_VARIABLE", "AWS_SESSION_TOKEN", *allowed]) == (
        "--envvars: AWS_SESSION_TOKEN, MY_VARIABLE would be readable by everyone with access to the Batch account; only "
        "SNAKEMAKE_STORAGE_AZURE_ACCOUNT_NAME, SNAKEMAKE_STORAGE_S3_ENDPOINT_URL, SNAKEMAKE_STORAGE_S3_REGION are passed "
        "to tasks. Assign a role to the identity of the pool instead, or run the rules that need them on this machine "
        "(run.local_rules in the configuration)."
    )


def test_a_task_is_no_administrator_and_has_an_end():
    task = build.batch_task(SimpleNamespace(name="date"), "image", {}, "true")
    assert task.user_identity.auto_user.elevation_level == "admin", "upstream is repaired: drop this repair"
    repair_task(task, minutes=30)
    assert task.constraints.max_wall_clock_time == timedelta(hours=2)
    user = task.user_identity.auto_user
    assert (user.elevation_level, user.scope) == ("nonadmin", "task")
    assert task.container_settings.container_run_options == "--rm"
    assert task.container_settings.working_directory == "containerImageDefault"


@pytest.mark.parametrize(
    ("url", "resource"),
    [("https://store.blob.core.windows.net/c/start.sh", "identity"), ("https://example.org/start.sh", None)],
)
def test_a_start_script_is_read_by_the_identity(url, resource):
    parameters = Pool(
        identity=BatchPoolIdentity(type="UserAssigned", user_assigned_identities={"identity": {}}),
        start_task=StartTask(command_line="bash start.sh", resource_files=[ResourceFile(http_url=url)]),
    )
    allow_start_script(parameters)
    [file] = parameters.start_task.resource_files
    assert getattr(file.identity_reference, "resource_id", None) == resource


def test_no_rule_starts_another_snakemake_on_this_machine():
    """For `run:` and `shadow:` Snakemake starts itself, and writes the keys of storage plugins into that command line."""
    for path in [ROOT / "workflow" / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk")]:
        assert not re.search(r"^ +(run|shadow):", path.read_text(), re.MULTILINE), path


def test_any_user_may_work_in_the_image():
    text = (ROOT / "Dockerfile").read_text()
    assert "install --directory --mode 1777 /work\n" in text
    assert re.findall(r"^WORKDIR (\S+)$", text, re.MULTILINE) == ["/work"]
    assert re.search(r"^ENV .*HOME=/work\b", text, re.MULTILINE)


NODES, BOTH = frozenset(), ["stream_product", "download_product"]
ROW = {"role": "band", "band": "B4", "key": "Sentinel-2/B04.jp2", "name": "B04.jp2"}
COG = ROW | {"key": "https://host/B04.tif"}


@pytest.mark.parametrize(
    ("shared", "remote", "local_rules", "anonymous", "row", "refused"),
    [
        (NODES, False, [], False, ROW, True),
        (NODES, False, ["stream_product"], False, ROW, True),
        (NODES, False, [], False, ROW | {"key": "s3://bucket/B04.jp2"}, True),
        (NODES, False, [], False, COG, False),
        (NODES, False, [], True, ROW, False),
        (NODES, False, BOTH, False, ROW, False),
        # within a task, and where jobs inherit the environment
        (NODES, True, [], False, ROW, False),
        (SharedFSUsage.all(), False, [], False, ROW, False),
    ],
)
def test_nodes_that_would_need_a_key(shared, remote, local_rules, anonymous, row, refused):
    product = name_of()
    config = {"source": {"anonymous": anonymous}, "run": {"local_rules": local_rules}}
    files_of = in_rules(shared, remote, config=config, files_table=lambda: {product: [row]})["files_of"]
    rows = files_of([])
    if not refused:
        assert rows(SimpleNamespace(product=product)) == [row]
        return
    with pytest.raises(TigerbushError) as raised:
        rows(SimpleNamespace(product=product))
    assert str(raised.value) == (
        f"{product}, which is in an object store, needs keys, and nodes get none: everyone with access to the Batch "
        f"account "
        "could read them. Set run.local_rules: [stream_product, download_product], or source.anonymous: true for a public "
        "bucket."
    )


def in_rules(shared, remote, **names):
    """What the rules themselves say of nodes and of a product's files."""
    names |= {
        "workflow": SimpleNamespace(
            remote_exec=remote, storage_settings=SimpleNamespace(shared_fs_usage=shared)
        ),
        "SharedFSUsage": SharedFSUsage,
        "REMOTE": True,
        "NODES": nodes,
        "SOURCE": source,
        "SENSOR_OF": sensor_of,
        "SITES": {"here": {}},
        "translate_errors": lambda function, *arguments: function(*arguments),
    }
    for file, function in (("config", "on_nodes"), ("common", "files_of")):
        text = (ROOT / "workflow" / "rules" / f"{file}.smk").read_text()
        [code] = re.findall(rf"^def {function}\(.*\):\n(?:    .*\n|\n(?=    ))+", text, re.MULTILINE)
        exec(code, names)  # noqa: S102 - our own file
    return names
