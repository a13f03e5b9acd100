# Everything that a change must pass.
default: lint test

# Style, formatting and types.
lint:
    uv run --group dev ruff check
    uv run --group dev ruff format --check
    uv run --group dev mypy

# The tests, or those that are named: `just test tests/unit -k planning`.
test *arguments:
    uv run --group dev pytest {{arguments}}

# Put code into the project's format.
format:
    uv run --group dev ruff check --fix
    uv run --group dev ruff format

# Test the promises with more examples, and print the counts: `just promises 10`.
promises times="3":
    uv run --group dev python scripts/promises.py {{times}}

# Try on a real project what only BigQuery can show: `just smoke-bigquery --project P --bucket B`.
smoke-bigquery *arguments:
    uv run cloudbill smoke-test {{arguments}}

# Measure what loading costs, against floors and peers: `just bench --help`.
bench *arguments:
    UV_PROJECT_ENVIRONMENT=.bench uv sync --quiet --no-dev --all-extras
    BENCH_PYTHON=.bench/bin/python uv run --group dev python -m benchmarks {{arguments}}

# Validate the view `focus` of the bundled sample with the official validator of FOCUS 1.2.
validate-focus *arguments:
    uv run --group dev python scripts/validate_focus.py {{arguments}}

# Let Airflow and Dagster read and run their examples.
check-examples:
    uv run python scripts/check_examples.py

# Write the newest versions of everything into pyproject.toml.
pin:
    uv run --no-sync python scripts/pin.py

# Write the library of the report's charts as npm delivers it; its version is in the script.
plot-library:
    uv run --group dev python scripts/plot_library.py

# Write the bundled sample exports again.
sample:
    rm -rf sample_exports
    uv run cloudbill sample sample_exports --months 3 --rows 150 --seed 1
    # Overwritten, because the folders of versions have colons in their names, which Windows forbids.
    uv run cloudbill sample sample_exports --months 3 --rows 150 --seed 1 \
        --aws-forms focus-1.2 --aws-overwrite

# Build what is published, a wheel and a source archive, into the folder `dist`, and check it.
build:
    rm -rf dist
    uv build
    uvx twine@7.0.0 check --strict dist/*

# Build the site of docs/ in the folder `site`; open site/index.html.
site *arguments:
    NO_MKDOCS_2_WARNING=1 uv run --group docs mkdocs build {{arguments}}

# Write the pages, and the parts of README.md, that come from the code.
docs:
    uv run --group dev python scripts/readme_keys.py
    uv run --group dev python scripts/reference.py

# Write the commands for Cloud Run: `just deploy-cloud-run PROJECT REGION BUCKET --output FILE`.
[positional-arguments]
deploy-cloud-run *arguments:
    @uv run python -m scripts.deploy_cloud_run "$@"
