"""What a file of Python imports from others."""

import ast
import sys


def third_party(path):
    """The top-level modules that a file imports from neither Python nor the library, also within functions."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module)
    return {module.partition(".")[0] for module in modules} - sys.stdlib_module_names - {"tigerbush"}
