"""The operators that SNAP applies to a product, with their parameters, and the same as a graph for `gpt`."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from tigerbush.errors import TigerbushError
from tigerbush.scenes.scene import SceneOptions

# classic TIFF, with 32-bit offsets
FORMAT = "GeoTIFF"

Step = tuple[str, dict[str, str]]


def scene_steps(options: SceneOptions) -> list[Step]:
    """Return the operators that make a scene, in order: Resample, then Subset.

    All values are text, which SNAP converts: jpy would convert a small Python int to a `java.lang.Byte`, which
    `targetResolution` does not accept.

    Parameters
    ----------
    options : SceneOptions
        With SNAP's names of bands (B2, not B02), and one method for all; `region` takes precedence over `geo_region`.

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
        When a value contains `$`, which `gpt` would take for the start of a variable.
    """
    graph = ElementTree.Element("graph", id="scene")
    ElementTree.SubElement(graph, "version").text = "1.0"
    nodes = [
        ("Read", {"file": str(product)}),
        *steps,
        ("Write", {"file": str(target), "formatName": FORMAT}),
    ]
    previous = None
    for operator, parameters in nodes:
        node = ElementTree.SubElement(graph, "node", id=operator)
        ElementTree.SubElement(node, "operator").text = operator
        sources = ElementTree.SubElement(node, "sources")
        if previous is not None:
            ElementTree.SubElement(sources, "sourceProduct", refid=previous)
        values = ElementTree.SubElement(node, "parameters")
        for name, value in parameters.items():
            if "$" in value:
                raise TigerbushError(
                    f"{value!r} contains $, which gpt takes for a variable; rename the folder, or set scene.engine: "
                    "snap."
                )
            ElementTree.SubElement(values, name).text = value
        previous = operator
    ElementTree.indent(graph)
    return ElementTree.tostring(graph, encoding="UTF-8", xml_declaration=True)
