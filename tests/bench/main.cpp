// SPDX-License-Identifier: Apache-2.0
#include <getopt.h>
#include <sys/utsname.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bus.hpp"
#include "measurements.hpp"

namespace portsync::bench {
namespace {

struct Options {
  std::size_t ports = 64;
  std::string json;
  std::string daemon = PORTSYNCD_PROGRAM;
  bool quick = false;
  bool pinned = false;
  bool all_on = false;
  std::vector<std::string> names;
};

struct Measurement {
  const char* name;
  std::size_t ports;
  void (*measure)(Bench& bench);
};

// Sorted by ports, because links are only ever added.
std::vector<Measurement> measurements(const Options& options) {
  std::vector<Measurement> all{
      {"latency", options.ports, measure_latency},
      {"drain", options.ports, measure_drain},
      {"sustained", options.ports, measure_sustained},
      {"sustained", 256, measure_sustained},
      {"overrun", options.ports, measure_overrun},
      {"redis-restart", options.ports, measure_redis_restart},
      {"memory", options.ports, measure_memory},
      {"idle", options.ports, measure_idle},
      {"first-sync", 128, measure_first_sync},
      {"first-sync", 512, measure_first_sync},
      {"first-sync", 1024, measure_first_sync},
      {"foreign-keys", 1024, measure_first_sync_beside_others},
      {"sonic-start", 1028, measure_sonic_start},
      {"first-sync", 4096, measure_first_sync},
      {"overrun", 4096, measure_overrun},
      {"memory", 4096, measure_memory},
  };
  const auto unwanted = [&](const Measurement& measurement) {
    if (options.quick && measurement.ports == 4096) return true;
    return !options.names.empty() &&
           std::find(options.names.begin(), options.names.end(), measurement.name) == options.names.end();
  };
  all.erase(std::remove_if(all.begin(), all.end(), unwanted), all.end());
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.ports < b.ports; });
  return all;
}

[[noreturn]] void usage(int status) {
  std::fprintf(status == 0 ? stdout : stderr,
               "portsyncd_bench [--ports N] [--json FILE] [--quick] [--pin] [--all-on] [--daemon PATH] [NAME...]\n"
               "NAME: latency drain sustained overrun redis-restart memory idle first-sync foreign-keys sonic-start; "
               "all of them "
               "when none is given\n"
               "--pin: the daemon on the last processor, Redis and the load on the first\n"
               "--all-on: with D-Bus, on a bus of its own, and metrics\n");
  std::exit(status);
}

Options parse_options(int argc, char** argv) {
  static const option known[] = {
      {"ports", required_argument, nullptr, 'n'}, {"json", required_argument, nullptr, 'j'},
      {"quick", no_argument, nullptr, 'q'},       {"pin", no_argument, nullptr, 'p'},
      {"all-on", no_argument, nullptr, 'a'},      {"daemon", required_argument, nullptr, 'd'},
      {"help", no_argument, nullptr, 'h'},        {nullptr, 0, nullptr, 0}};
  Options options;
  for (int letter; (letter = ::getopt_long(argc, argv, "h", known, nullptr)) != -1;) {
    if (letter == 'n') options.ports = std::strtoul(optarg, nullptr, 10);
    if (letter == 'j') options.json = optarg;
    if (letter == 'q') options.quick = true;
    if (letter == 'p') options.pinned = true;
    if (letter == 'a') options.all_on = true;
    if (letter == 'd') options.daemon = optarg;
    if (letter == 'h') usage(0);
    if (letter == '?') usage(2);
  }
  options.names.assign(argv + optind, argv + argc);
  if (options.ports == 0 || options.ports > 4096) usage(2);
  const auto all = measurements({options.ports, {}, {}, false, false, false, {}});
  for (const std::string& name : options.names) {
    if (std::none_of(all.begin(), all.end(), [&](const auto& known_one) { return name == known_one.name; })) usage(2);
  }
  return options;
}

Machine describe(const Options& options, const DaemonOptions& daemon, Testbed& bed) {
  utsname system{};
  ::uname(&system);
#ifdef NDEBUG
  const char* build = "release";
#else
  const char* build = "debug";
#endif
  return {
      system.release, std::thread::hardware_concurrency(), bed.redis().version(), run_version(daemon, bed).text, build,
      options.pinned};
}

int run(const Options& options) {
  if (options.pinned) pin(0);
  DaemonOptions daemon;
  daemon.program = options.daemon;
  if (options.pinned) daemon.processor = static_cast<int>(std::thread::hardware_concurrency()) - 1;
  Testbed bed;
  std::optional<Bus> bus;
  if (options.all_on) {
    bus.emplace(bed);
    daemon.bus_address = bus->address();
    daemon.metrics = true;
  }
  Report report;
  bed.grow(1);
  if (!bed.wait_quiet()) std::fprintf(stderr, "this machine is busy with other links: expect noise\n");
  const Machine machine = describe(options, daemon, bed);
  for (const Measurement& measurement : measurements(options)) {
    const std::string name = std::string(measurement.name) + ", " + std::to_string(measurement.ports) + " ports";
    std::fprintf(stderr, "%s ...", name.c_str());
    const auto start = Clock::now();
    try {
      bed.restore();
      bed.grow(measurement.ports);
      bed.empty_redis();
      Bench bench{bed, report, daemon, options.quick};
      measurement.measure(bench);
      std::fprintf(stderr, " %.1f s\n", seconds(Clock::now() - start));
    } catch (const std::exception& error) {
      std::fprintf(stderr, " failed: %s\n", error.what());
      report.add_failure(name, error.what());
    }
  }
  report.print_table(std::cout, machine);
  if (!options.json.empty()) {
    std::ofstream file(options.json);
    report.print_json(file, machine);
    if (!file.flush()) {
      std::fprintf(stderr, "cannot write %s\n", options.json.c_str());
      return 1;
    }
  }
  return report.complete() ? 0 : 1;
}

}  // namespace
}  // namespace portsync::bench

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return portsync::bench::run(portsync::bench::parse_options(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "portsyncd_bench: %s\n", error.what());
    return 1;
  }
}
