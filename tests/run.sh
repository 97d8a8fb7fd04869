#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is needed, builds, and runs the tests. The last line is "N passed, N failed, N skipped".
set -u

usage() {
  cat <<'END'
usage: tests/run.sh [--quick | --all | --debian13] [--suite NAME]... [--soak MINUTES]
                    [--operations N] [--replay FILE] [--fuzz MINUTES] [--sim MINUTES] [--sim-coverage SEEDS]
                    [--help]

  (nothing)       tier 1: a release build with -Werror, and g++ debug with ASan and UBSan; the suite integration in
                  both, sonic, api, system and sim in the release, unit, abi and fuzz (the fuzz targets' corpora) in
                  the other; --all runs unit in optimised builds of clang and g++ (LTO)
  --quick         one release build, unit tests and the shortest integration tests
  --all           tier 1 and tier 2: clang with -Werror, TSan, clang-tidy, LTO, minsize, shellcheck, instructions
                  per event, the rest of sonic mode, its build for SONiC's image, Debian packages (arm64's too),
                  lintian, autopkgtest and piuparts, a virtual machine, builds without netlink and without Redis, a
                  meson subproject, the wraps, Debian 13, a soak, and each fuzz target for a while
  --debian13      only what --all does in a root of Debian 13 (tests/debian13.sh): a release build, all suites
                  but system
  --suite NAME    only this suite: unit, integration, sonic, api, abi, system, fuzz or sim; may be given again
  --soak MINUTES  random link changes and faults for so long, on a release build (2 with --all)
  --operations N  the same until the kernel has carried out so many changes; 200,000 take about 40 minutes of one core
  --fuzz MINUTES  each fuzz target for so long, with clang's libFuzzer (1 with --all)
  --sim MINUTES   the simulator for so long, on fresh seeds and one processor (tests/sim/README.md)
  --sim-coverage SEEDS
                  the lines of the library and of portsyncd that so many simulated runs reach, by gcovr
  --replay FILE   a run that a random test wrote when it failed, on a release build

As root, missing packages are installed by apt-get. Anybody else needs them to be there; the tests then run in a user
and network namespace of their own (unshare -Urn). With CI set, a skip that tests/skips.txt does not list is a failure.
Builds go to build-tests/ (or $PORTSYNC_BUILDS) and are kept: a second run is quicker.
END
}

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(dirname "$tests")
builds=${PORTSYNC_BUILDS:-$top/build-tests}
mode=tier1
suites=()
soak=
operations=
fuzz=
sim=
sim_seeds=
replay=
while [ $# -gt 0 ]; do
  case $1 in
    --quick) mode=quick ;;
    --all) mode=all ;;
    --debian13) mode=debian13 ;;
    --suite) suites+=("${2:?--suite needs a name}"); shift ;;
    --soak) soak=${2:?--soak needs minutes}; [ $mode = all ] || mode=soak; shift ;;
    --operations) operations=${2:?--operations needs a number}; [ $mode = all ] || mode=soak; shift ;;
    --fuzz) fuzz=${2:?--fuzz needs minutes}; [ $mode = all ] || mode=fuzz; shift ;;
    --sim) sim=${2:?--sim needs minutes}; mode=sim; shift ;;
    --sim-coverage) sim_seeds=${2:?--sim-coverage needs a number of seeds}; mode=simlines; shift ;;
    --replay) replay=$(realpath "${2:?--replay needs a file}"); mode=replay; shift ;;
    --help | -h) usage; exit 0 ;;
    *) echo "tests/run.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
for suite in "${suites[@]+"${suites[@]}"}"; do
  case $suite in
    unit | integration | sonic | api | abi | system | fuzz | sim) ;;
    *) echo "tests/run.sh: no suite $suite; there are unit, integration, sonic, api, abi, system, fuzz and sim" >&2; exit 2 ;;
  esac
done

list=$tests/packages.list
# packages_for PURPOSE...: one a line.
packages_for() {
  local purpose
  for purpose; do
    awk -v purpose="$purpose" '$1 == purpose { for (i = 2; i <= NF; ++i) print $i }' "$list"
  done
}

packages=()
want() {
  local more
  mapfile -t more
  packages+=("${more[@]}")
}
want < <(packages_for compile library daemon faces manual unit script network redis tests)
[ $mode = quick ] || want < <(packages_for examples)
# A container with a systemd of its own needs root in any case.
if [ $mode != quick ] && [ "$(id -u)" = 0 ]; then
  want < <(packages_for root)
fi
if [ $mode = tier1 ] || [ $mode = all ]; then
  want < <(packages_for tier1 reference)
fi
if [ $mode = all ]; then
  want < <(packages_for tier2)
fi
if [ $mode = simlines ]; then
  want < <(packages_for coverage)
fi
if [ $mode = all ] || [ $mode = fuzz ]; then
  want < <(packages_for fuzz)
fi

mkdir -p "$builds"
builds=$(cd "$builds" && pwd)
export PORTSYNC_BUILDS=$builds
steps=$builds/steps.tsv
: >"$steps"
tested=()
within=()  # what meson is run by: nothing, or what enters another root

# step NAME COMMAND...: runs it with its output in a file, which is shown when it fails; counts as one case.
step() {
  local name=$1 began=$SECONDS log
  shift
  log=$builds/$(tr -c 'a-zA-Z0-9\n' - <<<"$name").log
  printf '%-44s' "$name"
  if "$@" >"$log" 2>&1 </dev/null; then
    printf 'ok      %4d s\n' $((SECONDS - began))
    printf '%s\tpassed\n' "$name" >>"$steps"
    return 0
  fi
  printf 'FAILED  %4d s; the end of %s:\n' $((SECONDS - began)) "$log"
  tail -n 60 "$log"
  printf '%s\tfailed\n' "$name" >>"$steps"
  return 1
}

install_packages() {
  local missing=() package
  for package in "${packages[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  echo "missing: ${missing[*]}"
  [ "$(id -u)" = 0 ] || { echo "not root: install them, or run this as root once"; return 1; }
  # The tests start servers of their own; the package's needs not run.
  apt-get update -q && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends "${missing[@]}"
}

# configure NAME MESON_OPTION...: prepares $builds/NAME. CC and CXX choose the compiler.
configure() {
  local name=$1
  shift
  local fresh=()
  [ ! -e "$builds/$name/build.ninja" ] || fresh=(--reconfigure)
  step "configure $name" \
    "${within[@]+"${within[@]}"}" meson setup "${fresh[@]+"${fresh[@]}"}" "$builds/$name" "$top" "$@"
}

build() {
  configure "$@" && step "build $1" build_all_but_units "$1"
}

# build_all_but_units NAME: what meson builds by default, without the programs that only tests of other suites need.
# ninja's target `all` has those of every test.
build_all_but_units() {
  local targets
  mapfile -t targets < <("${within[@]+"${within[@]}"}" ninja -C "$builds/$1" -t query all |
    sed -n '/input:/,/outputs:/s/^    \([|]* *\)\([^ ]*\)$/\2/p' | grep -v '^meson-.*-prereq$')
  [ ${#targets[@]} -gt 0 ] && "${within[@]+"${within[@]}"}" ninja -C "$builds/$1" "${targets[@]}"
}

# build_units NAME: the programs of the suite unit.
build_units() {
  step "build unit tests $1" "${within[@]+"${within[@]}"}" meson compile -C "$builds/$1" unit-programs
}

# run_suites NAME SUITE...: runs suites of a build and notes it for the sum.
run_suites() {
  local name=$1 began=$SECONDS chosen=() suite
  shift
  for suite; do chosen+=(--suite "$suite"); done
  rm -rf "$builds/$name/junit" "$builds/$name/meson-logs/testlog.json"
  echo "--- tests of $name: $*"
  # Most tests wait for something most of the time.
  "${within[@]+"${within[@]}"}" meson test -C "$builds/$name" --no-rebuild --print-errorlogs "${chosen[@]}" \
    --num-processes $(($(nproc) * 3 / 2)) </dev/null 2>&1 | grep -v '^$'
  echo "--- tests of $name took $((SECONDS - began)) s"
  tested+=("$builds/$name")
}

# build_and_test NAME "SUITE..." MESON_OPTION...: those of the suites that were asked for, by --suite or by nothing.
build_and_test() {
  local name=$1 wanted=() suite
  for suite in $2; do
    [[ ${#suites[@]} -gt 0 && " ${suites[*]} " != *" $suite "* ]] || wanted+=("$suite")
  done
  shift 2
  [ ${#wanted[@]} -gt 0 ] || return 0
  build "$name" "$@" || return
  [[ " ${wanted[*]} " != *" unit "* ]] || build_units "$name" || return
  run_suites "$name" "${wanted[@]}"
}

# Prints the first fresh seed of the simulator. Each tree of the source has other seeds, and the same ones wherever it is
# tested: a failure can be repeated, and what passed once does not fail elsewhere. Empty outside a repository.
first_seed() {
  local tree
  tree=$(git -c safe.directory='*' -C "$top" rev-parse --verify --quiet 'HEAD^{tree}' 2>/dev/null) || return 0
  echo $((16#${tree:0:8}))
}

release=(--buildtype=release -Dwerror=true)
sanitized=(--buildtype=debug "-Db_sanitize=address,undefined")

tier1() {
  build_and_test release "integration sonic api system sim" "${release[@]}" -Ddocs=enabled
  build_and_test asan "unit integration fuzz abi" "${sanitized[@]}"
}

tier2() {
  local part
  CC=clang CXX=clang++ build_and_test clang "unit integration" --buildtype=debugoptimized -Dwerror=true
  step "clang-tidy" tidy
  build_and_test tsan "unit integration" --buildtype=debugoptimized -Db_sanitize=thread
  build_and_test lto "unit quick" "${release[@]}" -Db_lto=true
  build_and_test minsize "unit quick" --buildtype=minsize -Dwerror=true
  step "shellcheck" scripts_are_clean
  step "instructions per event" /usr/bin/python3 "$tests/support/runner.py" --build "$builds/release" \
    "$tests/bench/test_instructions.py"
  for part in test_sonic_faults test_sonic_reference test_sonic_scale test_sonic_supervisord sonic_long; do
    step "sonic mode, $part" /usr/bin/python3 "$tests/support/runner.py" --build "$builds/release" \
      "$tests/integration/$part.py"
  done
  swss_image
  swss_packages
  debian_packages
  build_units release &&
    step "model of the engine, one deeper" env PORTSYNC_MODEL_DEPTH=1 "$builds/release/tests/sync_engine_model_test"
  build_and_test no-netlink "unit api" --buildtype=debugoptimized -Dwerror=true -Dnetlink=disabled
  build_and_test no-redis "unit api" --buildtype=debugoptimized -Dwerror=true -Dredis=disabled
  step "consumer, meson subproject" /usr/bin/python3 "$tests/support/runner.py" --build "$builds/release" \
    "$tests/api/test_subproject.py"
  step "wraps, offline" "$tests/wraps.sh" "$builds/wraps"
  debian13
}

# As portsyncd/doc/swss.md has it.
swss_image() {
  build swss-image "${release[@]}" -Ddbus=disabled -Dmetrics=disabled || return
  step "sonic mode, in the image" /usr/bin/python3 "$tests/support/runner.py" --build "$builds/swss-image" \
    "$tests/integration/sonic_image.py"
  step "sonic mode, install.sh and remove.sh" /usr/bin/python3 "$tests/support/runner.py" --build "$builds/swss-image" \
    "$tests/integration/sonic_install.py"
}

# portsyncd-swss for each container of SONiC, by the one command that portsyncd/doc/swss.md has.
swss_packages() {
  local suite architecture
  if [ "$(id -u)" != 0 ]; then
    printf 'portsyncd-swss\tskipped\tonly root can make a root of Debian\n' >>"$steps"
    return
  fi
  for suite in bookworm trixie; do
    for architecture in amd64 arm64; do
      step "portsyncd-swss, $suite, $architecture" "$top/portsyncd/data/sonic/build.sh" "$suite" "$architecture" \
        "$builds/swss/$suite" || return
    done
  done
  PORTSYNC_SWSS_PACKAGES=$builds/swss step "portsyncd-swss, what is in it" /usr/bin/python3 "$tests/support/runner.py" \
    --build "$builds/release" "$tests/integration/sonic_packages.py"
}

# The packages as they are shipped: built twice, at another path, in another time zone and with another umask.
debian_packages() {
  step "Debian packages" "$tests/packages.sh" "$builds/packages" || return
  step "lintian" lintian --pedantic --fail-on error,warning,pedantic "$builds"/packages/*.changes
  step "Debian packages, again" packages_elsewhere || return
  step "twice the same" same_packages
  step "Debian packages for arm64" "$tests/cross.sh" "$builds/arm64"
  PORTSYNC_PACKAGES=$builds/packages long_step "tests of the packages" /usr/bin/python3 "$tests/support/runner.py" \
    --build "$builds/release" "$tests"/system/test_package{,_boot}.py "$tests/system/test_deployment_guide.py"
  PORTSYNC_PACKAGES=$builds/packages long_step "autopkgtest, piuparts" /usr/bin/python3 "$tests/support/runner.py" \
    --build "$builds/release" "$tests/system/test_debian_checks.py"
  PORTSYNC_PACKAGES=$builds/packages long_step "virtual machine" timeout 1800 /usr/bin/python3 \
    "$tests/support/runner.py" --build "$builds/release" "$tests/system/test_vm.py"
}

packages_elsewhere() {
  (umask 0027 && TZ=Asia/Kolkata "$tests/packages.sh" "$builds/again/at-another-path")
}

same_packages() {
  local package
  for package in "$builds"/packages/*.deb; do
    cmp "$package" "$builds/again/at-another-path/${package##*/}" || return
  done
}

debian13() {
  if [ "$(id -u)" != 0 ]; then
    printf 'Debian 13\tskipped\tonly root can make a root of Debian 13\n' >>"$steps"
    return
  fi
  step "root of Debian 13" "$tests/debian13.sh" true || return
  within=("$tests/debian13.sh")
  build_and_test debian13-release "unit integration api" "${release[@]}"
  within=()
}

tidy() {
  (cd "$builds/clang" && run-clang-tidy -quiet -p . "$top/(libportsync|portsyncd)/.*\.cpp$")
}

scripts_are_clean() {
  find "$top" -path "$top/build*" -prune -o \( -name '*.sh' -o -path "$top/.ci/run" \) -exec shellcheck {} +
}

fuzz() {
  local program
  CC=clang CXX=clang++ configure fuzz --buildtype=debugoptimized -Dfuzz=enabled -Db_sanitize=address,undefined \
    -Db_lundef=false || return
  step "build fuzz" meson compile -C "$builds/fuzz" fuzzers || return
  for program in "$builds"/fuzz/tests/fuzz/fuzz_*; do
    [ ! -f "$program" ] || [ ! -x "$program" ] ||
      step "fuzz ${program##*/fuzz_}, $1 min" "$tests/fuzz/fuzz.sh" "$program" "$1" 3>&1
  done
}

# simulate MINUTES: a failure is cut down and left beside the program.
simulate() {
  [ -e "$builds/release/build.ninja" ] || configure release "${release[@]}" || return
  step "build sim" meson compile -C "$builds/release" sim || return
  long_step "sim, $1 min" env -u SIM_FIRST_SEED "$builds/release/tests/sim/sim" --minutes "$1" --out "$builds/release/sim-failure.txt"
}

# simulated_lines SEEDS: os is what the simulator replaces. The list of lines is a page beside the build.
simulated_lines() {
  local build=$builds/coverage
  configure coverage --buildtype=debugoptimized -Db_coverage=true || return
  step "build sim for coverage" meson compile -C "$build" sim || return
  find "$build" -name '*.gcda' -delete
  step "sim, $1 seeds" "$build/tests/sim/sim" --first-seed 1 --seeds "$1" --failures 1000 --no-shrink --out "$build/sim-failure.txt"
  long_step "lines that the simulator reaches" gcovr --root "$top" --filter "$top/libportsync/src/(core|drive|netlink|redis|sonic)/" \
    --filter "$top/portsyncd/(app|daemon|loop|config|service|sonic|base)" --exclude-throw-branches --html-details "$build/lines.html" \
    --txt - "$build"
}

# long_step NAME COMMAND...: the same for what shows its progress.
long_step() {
  local name=$1 began=$SECONDS result=failed
  shift
  echo "--- $name"
  "$@" </dev/null && result=passed
  echo "--- $name $result, $((SECONDS - began)) s"
  printf '%s\t%s\n' "$name" $result >>"$steps"
  [ $result = passed ]
}

# random_runs NAME TEST: of integration/soak.py.
random_runs() {
  [ -e "$builds/release/build.ninja" ] || build release "${release[@]}" || return
  long_step "$1" env PORTSYNC_SOAK_MINUTES="$soak" PORTSYNC_SOAK_OPERATIONS="$operations" PORTSYNC_REPLAY="$replay" \
    /usr/bin/python3 "$tests/support/runner.py" --build "$builds/release" "$tests/integration/soak.py" -k "$2"
}

began=$SECONDS
if step "packages" install_packages; then
  SIM_FIRST_SEED=$(first_seed)
  export SIM_FIRST_SEED
  case $mode in
    quick) build_and_test release "unit quick" "${release[@]}" ;;
    tier1) tier1 ;;
    all) tier1; tier2; random_runs "soak" test_random_runs; fuzz "${fuzz:-1}" ;;
    debian13) debian13 ;;
    fuzz) fuzz "$fuzz" ;;
    sim) simulate "$sim" ;;
    simlines) simulated_lines "$sim_seeds" ;;
    soak) random_runs "soak" test_random_runs ;;
    replay) random_runs "replay of $replay" test_replay ;;
  esac
fi
echo "all of it took $((SECONDS - began)) s"
/usr/bin/python3 "$tests/support/results.py" "$steps" "${tested[@]+"${tested[@]}"}"
