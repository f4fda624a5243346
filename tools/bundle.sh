#!/bin/sh
# Bundles one command into one file. Usage: bundle.sh RUNTIME ENTRY OUTPUT OPTION...
# Bun's summary is shown only when it fails. The file appears whole: a running crank may be about to open it.
set -u
runtime=$1 entry=$2 output=$3
shift 3
said=$("$runtime" build "$@" --outfile="$output.new" "$entry" 2>&1) || {
  echo "$said" >&2
  rm -f "$output.new"
  exit 1
}
mv -f "$output.new" "$output"
