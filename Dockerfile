# The image of the nodes of a Batch pool: the dependencies, but none of the sources. `make image` builds it; docs/azure.md says
# where to push it.
FROM python:3.12.8-slim-bookworm AS build
COPY container/install requirements.txt /tmp/
RUN /tmp/install /opt/tigerbush /tmp/requirements.txt

FROM python:3.12.8-slim-bookworm
COPY --from=build /opt/tigerbush /opt/tigerbush
# The working directory of tasks (the executor requests that of the image), which run as the user that Batch creates for each.
RUN useradd --uid 1000 tigerbush && install --directory --mode 1777 /work
ENV PATH=/opt/tigerbush/bin:$PATH LANG=C.UTF-8 HOME=/work USER=tigerbush
USER tigerbush
WORKDIR /work
CMD ["python", "-m", "snakemake", "--version"]
