"""A stand-in for SNAP's command `gpt`, which executes a graph with `snap_model`."""

import json
import os
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import snap_model
from snap_model import Java


def main(arguments):
    if arguments == ["--diag"]:
        print(
            f"SNAP Release version {snap_model.version()}\nSNAP home: {os.environ['SNAP_HOME']}\nSNAP debug: null"
        )
        return 0
    java = [argument[2:] for argument in arguments if argument.startswith("-J")]
    rest = [argument for argument in arguments if not argument.startswith("-J")]
    if len(rest) != 5 or rest[1] != "-q" or rest[3] != "-c" or not re.fullmatch("[0-9]+[MG]", rest[4]):
        print(f"Error: unknown or missing arguments: {rest}")
        return 1
    if log := os.environ.get("SNAP_STANDIN_LOG"):
        with Path(log).open("a") as file:
            file.write(json.dumps({"pid": os.getpid(), "java": java, "arguments": rest}) + "\n")
    products = {}
    for node in ElementTree.parse(rest[0]).getroot().iter("node"):  # noqa: S314
        name, operator = node.get("id"), node.findtext("operator")
        values = {element.tag: element.text for element in node.find("parameters")}
        sources = [products[element.get("refid")] for element in node.find("sources")]
        try:
            if operator == "Read":
                products[name] = snap_model.read_product(values["file"])
                if products[name] is None:
                    raise RuntimeError("No appropriate product reader found")
            elif operator == "Write":
                snap_model.write_product(*sources, values["file"], values["formatName"])
            else:
                table = {key: Java("java.lang.String", value) for key, value in values.items()}
                products[name] = snap_model.operate(operator, table, *sources)
        except RuntimeError as error:
            print(f"Error: [NodeId: {name}] {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
