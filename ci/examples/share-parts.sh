#!/bin/sh
# Shares a directory of parts (`selvedge check --parts DIR`) among jobs that have no file system in
# common, by a branch of a git repository: `share-parts.sh DIR REMOTE BRANCH &` before the check, in
# each job, and `kill` afterwards. Sends what this job has found, and gets what others have, every
# five seconds, and once more when it is stopped. docs/scale.md says what it is for.
#
# A file is never changed once it is there, so that there is nothing to merge; of two jobs that have
# found the same one's own does.
set -eu
dir=$1 remote=$2 branch=$3
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

# What the one has and the other has not; each file whole or not at all.
copy() {
    (cd "$1" && find . -type f ! -path './.git/*' ! -name '*.partial' ! -name '.selvedge.*') |
        while read -r file; do
            [ -e "$2/$file" ] && continue
            mkdir -p "$2/${file%/*}"
            cp "$1/$file" "$2/$file.$$.partial"
            mv "$2/$file.$$.partial" "$2/$file"
        done
}

in_tree() { git -C "$tree" -c user.name=selvedge -c user.email=selvedge@localhost "$@"; }

share() {
    copy "$dir" "$tree"
    in_tree add --all
    in_tree diff --cached --quiet 2>/dev/null || in_tree commit --quiet --message parts
    if in_tree fetch --quiet "$remote" "$branch" 2>/dev/null; then
        in_tree merge --quiet --strategy-option ours --allow-unrelated-histories \
            --message parts FETCH_HEAD >/dev/null || in_tree merge --abort
    fi
    # Somebody may have been faster: then the next time.
    in_tree push --quiet "$remote" "HEAD:refs/heads/$branch" 2>/dev/null || true
    copy "$tree" "$dir"
}

mkdir -p "$dir"
in_tree init --quiet
in_tree commit --quiet --allow-empty --message parts
is_stopped=
trap 'is_stopped=1' TERM INT
while [ -z "$is_stopped" ]; do
    share
    sleep 5 &
    wait $! || true
done
share
