"""The embedded sample: products that are simulated instead of downloaded."""


rule simulate_products:
    output:
        fingerprint=f"{config['source']['path']}/fingerprints/simulate_products.json",
        products=simulated_products(),
        weather=f"{config['source']['path']}/weather.csv",
        truth=f"{config['source']['path']}/truth.npz",
    log:
        "logs/simulate_products.log",
    benchmark:
        "benchmarks/simulate_products.tsv"
    conda:
        "../envs/tigerbush.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("simulate_products"),
    message:
        "Simulating a patterned ecosystem and the Sentinel-2 products of it"
    script:
        "../scripts/simulate_products.py"
