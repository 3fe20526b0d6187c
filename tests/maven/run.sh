#!/usr/bin/env bash
# Imports the Maven set on one device, pulls it on two others, edits 200 opportunities offline on
# each, and compares every report with the golden numbers. Needs ../shared/data/maven beside the
# project, or OUTRIDER_SHARED_DATA.
set -euo pipefail
cd "$(dirname "$0")/../.."
data=${OUTRIDER_SHARED_DATA:-../shared/data}
if [ ! -f "$data/maven/sales_pipeline.csv" ]; then
    printf 'no Maven set in %s/maven\n' "$data" >&2
    exit 1
fi
exec cargo test --release --workspace --test e2e -- maven --nocapture
