// SPDX-License-Identifier: Apache-2.0
// sim --minutes M | --operations N | --seed S | --replay FILE: see README.md.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "sim/runner.hpp"
#include "sim/scenario.hpp"
#include "sim/shrink.hpp"

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  double minutes = 0;
  std::uint64_t operations = 0;
  std::uint64_t seeds = 0;
  std::uint64_t first_seed = 0;
  bool one_seed = false;
  bool sonic = false;  // leaves out the seeds of other modes
  std::uint64_t steps = 600;
  std::vector<std::string> replays;
  std::string out = "sim-failure.txt";
  std::uint64_t failures = 1;  // the program ends after so many
  std::set<std::string> off;   // acts that are left out
  bool verbose = false;
  bool twice = false;
  bool shrink = true;
};

[[noreturn]] void usage(int status) {
  std::cout << "usage: sim [--minutes M] [--operations N] [--seeds N] [--first-seed S] [--seed S] [--steps N] [--failures N]\n"
               "           [--replay FILE]... [--out FILE] [--off ACT] [--sonic] [--no-shrink] [--twice] [--verbose]\n";
  std::exit(status);
}

Options parse(int argc, char** argv) {
  Options options;
  const char* seed = std::getenv("SIM_FIRST_SEED");
  options.first_seed = seed != nullptr && *seed != '\0' ? std::strtoull(seed, nullptr, 10) : std::random_device()();
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    const auto value = [&]() -> const char* {
      if (i + 1 >= argc) usage(2);
      return argv[++i];
    };
    if (name == "--minutes") options.minutes = std::atof(value());
    else if (name == "--operations") options.operations = std::strtoull(value(), nullptr, 10);
    else if (name == "--seeds") options.seeds = std::strtoull(value(), nullptr, 10);
    else if (name == "--first-seed") options.first_seed = std::strtoull(value(), nullptr, 10);
    else if (name == "--seed") { options.first_seed = std::strtoull(value(), nullptr, 10); options.one_seed = true; }
    else if (name == "--steps") options.steps = std::strtoull(value(), nullptr, 10);
    else if (name == "--failures") options.failures = std::strtoull(value(), nullptr, 10);
    else if (name == "--replay") options.replays.emplace_back(value());
    else if (name == "--out") options.out = value();
    else if (name == "--off") options.off.insert(value());
    else if (name == "--sonic") options.sonic = true;
    else if (name == "--no-shrink") options.shrink = false;
    else if (name == "--twice") options.twice = true;
    else if (name == "--verbose") options.verbose = true;
    else usage(name == "--help" ? 0 : 2);
  }
  return options;
}

sim::Scenario make(const Options& options, std::uint64_t seed) {
  sim::Scenario scenario = sim::make_scenario(seed, options.steps);
  std::erase_if(scenario.steps, [&](const sim::Step& step) { return options.off.count(sim::to_string(step.act)) != 0; });
  return scenario;
}

int report(const sim::Outcome& outcome) {
  std::cout << outcome.log;
  if (!outcome.failure) {
    std::cout << "clean: " << outcome.operations << " operations, " << outcome.writes << " writes, " << outcome.turns
              << " turns, " << outcome.simulated / sim::second << " s simulated, fingerprint " << outcome.fingerprint << '\n';
    return 0;
  }
  std::cout << "FAILED [" << outcome.failure->rule << "] at " << outcome.failure->when / sim::microsecond
            << " us: " << outcome.failure->text << '\n';
  return 1;
}

int replay(const Options& options, const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) {
    std::cerr << "cannot read " << path << '\n';
    return 2;
  }
  std::cout << path << ": ";
  return report(sim::run(sim::from_text(text.str()), options.verbose));
}

int replay_all(const Options& options) {
  int worst = 0;
  for (const std::string& path : options.replays) worst = std::max(worst, replay(options, path));
  return worst;
}

void write_failure(const Options& options, std::uint64_t number, const sim::Scenario& scenario, const sim::Failure& failure) {
  const std::string path = number == 0 ? options.out : options.out + "." + std::to_string(number);
  std::ofstream file(path);
  file << "# [" << failure.rule << "] " << failure.text << '\n' << sim::to_text(scenario);
  std::cout << "  " << scenario.steps.size() << " steps are in " << path << "; sim --replay " << path << " --verbose\n";
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  if (!options.replays.empty()) return replay_all(options);
  if (options.one_seed && options.verbose) {
    return report(sim::run(make(options, options.first_seed), true));
  }
  const auto began = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - began).count(); };
  std::uint64_t operations = 0;
  std::uint64_t seeds = 0;
  std::uint64_t failures = 0;
  double simulated = 0;
  for (std::uint64_t seed = options.first_seed;; ++seed) {
    const sim::Scenario scenario = make(options, seed);
    if (options.sonic && !scenario.setup.sonic) continue;
    const sim::Outcome outcome = sim::run(scenario);
    operations += outcome.operations;
    simulated += static_cast<double>(outcome.simulated) / static_cast<double>(sim::second);
    ++seeds;
    if (options.twice && sim::run(scenario).fingerprint != outcome.fingerprint) {
      std::cout << "seed " << seed << ": two runs differ\n";
      return 3;
    }
    if (outcome.failure) {
      std::cout << "seed " << seed << " FAILED [" << outcome.failure->rule << "] " << outcome.failure->text << std::endl;
      const sim::Scenario small = options.shrink ? sim::shrink(scenario, *outcome.failure) : scenario;
      write_failure(options, failures, small, *outcome.failure);
      if (++failures >= options.failures) break;
    }
    if (options.one_seed) break;
    if (options.operations != 0 && operations >= options.operations) break;
    if (options.minutes > 0 && elapsed() >= options.minutes * 60) break;
    if (options.seeds != 0 && seeds >= options.seeds) break;
    if (options.operations == 0 && options.minutes == 0 && options.seeds == 0) break;
  }
  std::cout << operations << " operations on " << seeds << " seeds from " << options.first_seed << " in " << elapsed()
            << " s: " << static_cast<std::uint64_t>(static_cast<double>(operations) / elapsed() * 60)
            << " a minute; " << static_cast<std::uint64_t>(simulated) << " s simulated; " << failures << " failures\n";
  return failures == 0 ? 0 : 1;
}
