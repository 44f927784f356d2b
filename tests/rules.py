"""The functions of the rules, without a run of snakemake."""

import re
from types import SimpleNamespace

from snakemake.exceptions import WorkflowError

from fabricate import ROOT


def functions(config, **workflow):
    """The functions of what every job reads, up to where the configuration is; `workflow` is what they see of it."""
    files = [
        ROOT / "workflow" / "rules" / f"{name}.smk" for name in ("secrets", "config", "tables", "common")
    ]
    text = "\n".join(path.read_text() for path in files).partition("\ncheck_secrets()\n")[0]
    text = re.sub(r"^wildcard_constraints:\n(    .*\n)+", "", text, flags=re.MULTILINE)
    seen = SimpleNamespace(source_path=lambda path: ROOT / "workflow" / "rules" / path, **workflow)
    names = {"workflow": seen, "WorkflowError": WorkflowError, "config": config}
    exec(compile(text, "rules", "exec"), names)  # noqa: S102 - our own file
    return names
