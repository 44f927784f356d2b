"""What status and doctor make of the answers of Azure Batch and Blob storage; without Azure."""

from types import SimpleNamespace

import azure.identity
import azure.storage.blob
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from tigerbush.cli.doctor import azure as doctor_azure
from tigerbush.cli.status import queue_azure
from tigerbush.cli.status.queue_azure import azure_queue
from tigerbush.errors import TigerbushError
from tigerbush.runs.queue_slurm import QueueJob

URL = "https://tiger.batch.example"
PROFILE = {
    "azure-account-url": URL,
    "default-storage-prefix": "az://runs/sahel.1/",
    "storage-azure-account-name": "store",
}
VERSION = {"api-version": "2024-02-01.19.0"}


class Credential:
    """A credential that issues a token for any scope, or none."""

    def __init__(self, error=None):
        self.error, self.calls = error, []

    def __call__(self, process_timeout):
        self.calls.append(process_timeout)
        return self

    def get_token(self, scope):
        self.calls.append(scope)
        if self.error:
            raise self.error
        return SimpleNamespace(token="token")  # noqa: S106


@pytest.fixture
def credential(monkeypatch):
    credential = Credential()
    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", credential)
    return credential


class Answer:
    """A response of Batch."""

    def __init__(self, content, status=200):
        self.content, self.status_code, self.ok, self.text = content, status, status < 400, content

    def json(self):
        return self.content

    def raise_for_status(self):
        if not self.ok:
            raise requests.HTTPError(response=self)


@pytest.fixture
def batch(monkeypatch):
    """Responses by address; requests are recorded."""
    answers, requests_made = {}, []

    def get(session, url, params, timeout):
        requests_made.append((url, params, timeout, session.headers["Authorization"]))
        answer = answers.get(url, Answer("", 404))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(requests.Session, "get", get)
    answers["requests"] = requests_made
    return answers


JOB = "tigerbush-sahel.1-20261129T120000"
TASKS = f"{URL}/jobs/{JOB}/tasks"


def test_the_tasks_of_a_run(credential, batch):
    """Only of its own Batch jobs, page by page; failed tasks with the reason, if their node still exists."""
    others = ["tigerbush-sahel.1-x-20261129T120000", "tigerbush-sahelx1-20261129T120000", f"{JOB}0", "other"]
    batch[f"{URL}/jobs"] = Answer(
        {"value": [{"id": name} for name in others], "odata.nextLink": f"{URL}/more"}
    )
    batch[f"{URL}/more"] = Answer({"value": [{"id": JOB}]})
    done = {"state": "completed", "nodeInfo": {"nodeId": "n9"}}
    batch[TASKS] = Answer(
        {
            "value": [
                {"id": "a", "state": "active", "displayName": "date"},
                {"id": "b", "state": "preparing", "nodeInfo": {"nodeId": "n1"}},
                {"id": "c", "state": "running"},
                {"id": "d", "executionInfo": {"result": "success"}, **done},
                {"id": "e", "executionInfo": {"result": "failure"}, **done},
                {"id": "f", **done},
                {"id": "g", **done},
            ]
        }
    )
    batch[f"{TASKS}/e/files/stderr.txt"] = Answer("first\n  last " + "x" * 400 + "\n \n")
    batch[f"{TASKS}/f/files/stderr.txt"] = Answer(" \n")
    assert azure_queue(PROFILE) == [
        QueueJob("a", "waiting", "date", ""), QueueJob("b", "running", "", "n1"), QueueJob("c", "running", "", ""),
        QueueJob("d", "succeeded", "", "n9"), QueueJob("e", "failed", "", "last " + "x" * 295), QueueJob("f", "failed", "", "n9"),
        QueueJob("g", "failed", "", "n9"),
    ]  # fmt: skip
    assert credential.calls == [20, "https://batch.core.windows.net/.default"]
    assert [request[:2] for request in batch["requests"][:3]] == [
        (f"{URL}/jobs", VERSION),
        (f"{URL}/more", None),
        (TASKS, VERSION),
    ]
    assert {request[2:] for request in batch["requests"]} == {(20, "Bearer token")}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(Answer("", 403), "it answers 403"), (requests.ConnectionError(), "it cannot be reached")],
)
def test_a_batch_account_that_does_not_answer(credential, batch, answer, reason):
    batch[f"{URL}/jobs"] = answer
    with pytest.raises(TigerbushError) as error:
        azure_queue(PROFILE)
    assert str(error.value) == f"Batch cannot be queried: {reason}; try again, or run ./tigerbush doctor."


def test_without_a_login(credential):
    credential.error = ClientAuthenticationError("No login. More words.")
    with pytest.raises(TigerbushError) as error:
        azure_queue(PROFILE)
    assert str(error.value) == "Batch cannot be queried (No login); run 'az login'."
    assert tuples(doctor_azure.check_azure(PROFILE)) == [
        (
            "azure identity",
            False,
            "No login; run 'az login', or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET",
        )
    ]


def tuples(findings):
    return [(finding.name, finding.ok, finding.text) for finding in findings]


def test_what_a_profile_names_is_checked(credential, monkeypatch):
    calls = []
    monkeypatch.setattr(doctor_azure, "check_batch", lambda *arguments: calls.append(arguments) or iter(()))
    monkeypatch.setattr(
        doctor_azure, "check_container", lambda *arguments: calls.append(arguments) or "container"
    )
    identity, container = doctor_azure.check_azure(PROFILE, create=True)
    assert (tuples([identity]), container) == ([("azure identity", True, "tokens were issued")], "container")
    assert calls == [(URL, "token"), ("store", "runs", credential, True)]
    assert credential.calls == [
        3,
        "https://management.azure.com/.default",
        "https://batch.core.windows.net/.default",
    ]
    calls.clear()
    assert len(list(doctor_azure.check_azure({"default-storage-prefix": "s3://x"}))) == 1
    assert calls == []


@pytest.mark.parametrize(
    ("answer", "findings"),
    [
        (requests.Timeout(), [(False, f"{URL} cannot be reached; check batch_account and region in config/azure.yaml")]),
        *((Answer("", status), [(False, f"{URL} refuses access ({status}); assign the caller the role Contributor on that account")]) for status in (401, 403)),
        (Answer("", 500), [(False, f"{URL} answers 500; try again")]),
        (Answer({"value": []}), [(True, f"{URL} is accessible")]),
    ],
)  # fmt: skip
def test_a_batch_account(monkeypatch, answer, findings):
    requests_made = []

    def get(url, **options):
        requests_made.append((url, options))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(requests, "get", get)
    assert tuples(doctor_azure.check_batch(URL, "t")) == [("azure batch", *finding) for finding in findings]
    options = {"params": VERSION | {"$select": "id"}, "headers": {"Authorization": "Bearer t"}, "timeout": 3}
    assert requests_made == [(f"{URL}/pools", options)]


def test_pools_that_earlier_runs_left(monkeypatch):
    pools = [{"id": "mine"}, {"id": "tigerbush-a"}, {"id": "x-tigerbush-a"}]
    monkeypatch.setattr(requests, "get", lambda *_, **__: Answer({"value": pools}))
    assert tuples(doctor_azure.check_batch(URL, "t"))[1:] == [
        (
            "azure pool",
            True,
            "tigerbush-a exists and may cost money; unless a run is using it, run 'az batch pool delete'",
        )
    ]


class Service:
    """A client of Blob storage with one container."""

    account_name, primary_hostname = "store", "store.blob.core.windows.net"

    def __init__(self, error, code):
        self.error, self.created = error, []
        if error:
            error.error_code = code

    def __call__(self, url, credential, **options):
        self.opened = url, credential, options
        return self

    def get_container_client(self, name):
        self.name = name
        return self

    def list_blob_names(self, results_per_page):
        self.page = results_per_page
        if self.error:
            raise self.error
        return []

    def create_container(self):
        self.created.append(self.name)


NONE = "there is no container runs of storage account store: check container in config/azure.yaml, or create it with ./tigerbush doctor --profile profiles/azure --create."
ODD = "unexpected answer from container runs of storage account store (HttpResponseError): Other; try again."


@pytest.mark.parametrize(
    ("code", "create", "ok", "text"),
    [
        (None, False, True, "container runs of store exists"), (None, True, True, "container runs of store exists"),
        ("ContainerNotFound", True, True, "container runs of store was created"), ("ContainerNotFound", False, False, NONE), ("Other", True, False, ODD),
    ],
)  # fmt: skip
def test_a_container(monkeypatch, code, create, ok, text):
    service = Service(HttpResponseError("x") if code else None, code)
    monkeypatch.setattr(azure.storage.blob, "BlobServiceClient", service)
    assert tuples([doctor_azure.check_container("store", "runs", "credential", create)]) == [
        ("azure storage", ok, text)
    ]
    options = {"connection_timeout": 3, "read_timeout": 3, "retry_total": 0}
    assert (service.opened, service.page) == (
        ("https://store.blob.core.windows.net", "credential", options),
        1,
    )
    assert service.created == ["runs"] * ("was created" in text)
    assert queue_azure.SECONDS == 20
