"""What the scripts import: a run starts hundreds of them, and most are done within a second."""

import json
import subprocess
import sys

import pytest

from fabricate import ROOT
from tigerbush.planning.code import closure, discovered_files, imported_files

SCRIPTS = ROOT / "workflow" / "scripts"
# they read text only
LIGHT = ("check_products", "read_weather", "summarise_batch", "summarise_site")
# once a product or a date
FREQUENT = (
    "composite_date",
    "compute_centrality",
    "compute_ndvi",
    "render_date",
    "resample_product",
    "subset_product",
    "summarise_date",
)
HEAVY = {"botocore", "matplotlib", "netCDF4", "networkx", "pandas", "scipy"}


def loaded_by(code: str) -> set[str]:
    """The modules that a new Python process has loaded in the end."""
    code = f"import sys\nsys.path.insert(0, {str(SCRIPTS)!r})\n{code}\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def imports_of(*names: str) -> str:
    """The code that imports scripts without running them."""
    return "import runpy\n" + "\n".join(f"runpy.run_path({str(SCRIPTS / f'{n}.py')!r})" for n in names)


def test_scripts_that_read_text_do_without_numpy():
    assert not loaded_by(imports_of(*LIGHT)) & {"numpy", "rasterio", *HEAVY}


def test_frequent_scripts_load_nothing_that_only_some_jobs_need():
    loaded = loaded_by(imports_of(*FREQUENT))
    assert "rasterio" in loaded
    assert not loaded & HEAVY


def test_products_start_without_opencv():
    assert "cv2" not in loaded_by(imports_of("resample_product", "subset_product"))


def test_scenes_start_without_what_sites_need():
    names = ("resample_scene", "resample_scenes", "resample_scenes_rank", "publish_scene")
    assert not loaded_by(imports_of(*names)) & {"cv2", "utm"}


def test_boto3_is_there_when_it_is_used():
    code = "import tigerbush, rasterio.session\n"
    use = "assert rasterio.session.AWSSession(aws_access_key_id='a', aws_secret_access_key='b').credentials\n"
    assert "botocore" not in loaded_by(code)
    assert "botocore" in loaded_by(code + use)
    assert "botocore" in loaded_by("import tigerbush\nfrom boto3.session import Session\nSession()")


PLANNING = sorted(path.stem for path in (SCRIPTS / "tigerbush" / "planning").glob("[!_]*.py"))


@pytest.mark.parametrize("module", PLANNING)
def test_planning_loads_nothing_heavy(module):
    """Every job reads it: the standard library, utm (with numpy) and yaml alone."""
    packages = {name.partition(".")[0] for name in loaded_by(f"import tigerbush.planning.{module}")}
    standing = {name.partition(".")[0] for name in loaded_by("")}
    third = packages - standing - sys.stdlib_module_names
    # the stand-in for boto3, of which nothing is loaded
    assert third - {"boto3"} <= {"tigerbush", "utm", "numpy", "yaml"}
    assert not packages & {"botocore", "rasterio", "snakemake", *HEAVY}


# imported in functions, when they are needed
OF_WEATHER = {
    f"tigerbush/weather/{name}.py"
    for name in ("grib", "grib_messages", "grids", "netcdf", "netcdf_size", "units")
}
LATE = {
    "check_products.py": {
        f"tigerbush/{name}.py" for name in ("raster", "grid", "jp2", "jp2_window", "jp2_header")
    },
    "download_product.py": {
        f"tigerbush/sources/{name}.py"
        for name in ("download", "ranges", "retries", "store", "store_errors", "web")
    },
    "read_weather.py": OF_WEATHER,
    "summarise_batch.py": OF_WEATHER | {"tigerbush/product.py", "tigerbush/sensors.py"},
    "summarise_site.py": {"tigerbush/sensors.py", "tigerbush/product.py", "tigerbush/site.py"},
}
# a fork for each script, of a process that has loaded what is not of this project
FORKS = """
import importlib, json, os, runpy, sys
for name in ("rasterio", "statsmodels.api", "matplotlib.figure", "cv2"):
    importlib.import_module(name)
loaded = {}
for script in sys.argv[1:]:
    reader, writer = os.pipe()
    if os.fork() == 0:
        runpy.run_path(script)
        names = [name for name in sys.modules if name.partition(".")[0] == "tigerbush"]
        os.write(writer, json.dumps(names).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        loaded[script] = json.loads(answer.read())
    os.wait()
print(json.dumps(loaded))
"""


def test_the_library_of_a_script_is_what_python_loads():
    scripts = sorted(SCRIPTS.glob("*.py"))
    command = [sys.executable, "-c", FORKS, *map(str, scripts)]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(SCRIPTS)}, capture_output=True, text=True, check=True
    )
    loaded = json.loads(done.stdout)
    assert len(loaded) == len(scripts) > 20
    of_sensors = [path.relative_to(SCRIPTS).as_posix() for path in SCRIPTS.glob("tigerbush/*/sensor.py")]
    assert of_sensors == ["tigerbush/sentinel2/sensor.py"]
    for script in scripts:
        files = {module_file(name) for name in loaded[str(script)]}
        library = files_of(script.name)
        there = files | {script.name} | LATE.get(script.name, set())
        # sensors are found, some of them while modules load
        assert library <= there <= library | files_of(script.name, of_sensors)


def files_of(script: str, there=()) -> set[str]:
    """What a script imports, and what that finds there."""
    return set(
        closure(
            [script],
            lambda name: imported_files((SCRIPTS / name).read_text()) | discovered_files(name, there),
        )
    )


def module_file(name: str) -> str:
    path = name.replace(".", "/")
    return f"{path}/__init__.py" if (SCRIPTS / path).is_dir() else f"{path}.py"
