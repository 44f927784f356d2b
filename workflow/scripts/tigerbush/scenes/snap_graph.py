"""What SNAP is asked to do with a product: operators and parameters, and the same as a graph for `gpt`."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from tigerbush.errors import TigerbushError
from tigerbush.scenes.scene import SceneOptions

# classic TIFF, whose offsets have 32 bits
FORMAT = "GeoTIFF"

Step = tuple[str, dict[str, str]]


def scene_steps(options: SceneOptions) -> list[Step]:
    """Return the operators that make a scene, in their order: Resample, then Subset.

    Every value is text, which SNAP converts itself: jpy would make a `java.lang.Byte` of a small Python int, which
    `targetResolution` does not take.

    Parameters
    ----------
    options : SceneOptions
        With bands as SNAP names them (B2, not B02), and one method for all; `region` goes before `geo_region`.

    Returns
    -------
    list of (operator, parameters)
    """
    subset = {"sourceBands": ",".join(options.bands), "copyMetadata": "true"}
    if options.region is not None:
        subset["region"] = ",".join(map(str, options.region))
    elif options.geo_region is not None:
        subset["geoRegion"] = options.geo_region
    resample = {
        "targetResolution": str(options.resolution),
        "upsampling": options.upsampling,
        "downsampling": options.downsampling,
    }
    return [("Resample", resample), ("Subset", subset)]


def graph_xml(product: Path, target: Path, steps: Sequence[Step]) -> bytes:
    """Return the graph for `gpt`: Read, the steps, Write.

    Parameters
    ----------
    product : Path
        The `.SAFE` folder.
    target : Path
        GeoTIFF.
    steps : sequence of (operator, parameters)

    Raises
    ------
    TigerbushError
        When a value has a `$`, which `gpt` would take for the beginning of a variable.
    """
    graph = ElementTree.Element("graph", id="scene")
    ElementTree.SubElement(graph, "version").text = "1.0"
    nodes = [
        ("Read", {"file": str(product)}),
        *steps,
        ("Write", {"file": str(target), "formatName": FORMAT}),
    ]
    before = None
    for operator, parameters in nodes:
        node = ElementTree.SubElement(graph, "node", id=operator)
        ElementTree.SubElement(node, "operator").text = operator
        sources = ElementTree.SubElement(node, "sources")
        if before is not None:
            ElementTree.SubElement(sources, "sourceProduct", refid=before)
        values = ElementTree.SubElement(node, "parameters")
        for name, value in parameters.items():
            if "$" in value:
                raise TigerbushError(
                    f"{value!r} has a $, which gpt takes for a variable; rename the folder, or set scene.engine: snap."
                )
            ElementTree.SubElement(values, name).text = value
        before = operator
    ElementTree.indent(graph)
    return ElementTree.tostring(graph, encoding="UTF-8", xml_declaration=True)
