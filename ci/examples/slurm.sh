#!/bin/sh
# A job array for Slurm: `sbatch --array=1-16 ci/examples/slurm.sh`, in a checkout in which
# `cargo build --release -p selvedge` has been run, on a file system that all nodes see. Rows can be
# named after it: a single large one is searched by all jobs together. When all are done:
# `target/release/selvedge merge shards/*.json`; if that is undecided, submit it again, and it goes
# on. docs/scale.md says what it does.
#SBATCH --job-name=selvedge
#SBATCH --cpus-per-task=8
#SBATCH --time=02:00:00
#SBATCH --signal=B:TERM@120
set -eu

: "${SLURM_ARRAY_TASK_ID:?submit it with --array=1-N}" "${SLURM_ARRAY_TASK_COUNT:?}"
mkdir -p shards
# Two minutes before its time is over Slurm sends SIGTERM: what is not decided by then is reported as
# undecided. Exit codes 1 and 3 are the merged report's to give.
target/release/selvedge check "$@" \
    --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
    --workers "${SLURM_CPUS_PER_TASK:-1}" \
    --parts parts \
    --report "json=shards/$SLURM_ARRAY_TASK_ID.json" > "shards/$SLURM_ARRAY_TASK_ID.txt" &
selvedge=$!
trap 'kill -TERM $selvedge' TERM
code=0
wait $selvedge || code=$?
# The wait itself was interrupted.
if [ $code -gt 128 ]; then
    code=0
    wait $selvedge || code=$?
fi
[ $code = 0 ] || [ $code = 1 ] || [ $code = 3 ]
