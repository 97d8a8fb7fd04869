// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sim/judge.hpp"
#include "sim/scenario.hpp"

namespace sim {

struct Outcome {
  std::optional<Failure> failure;
  std::uint64_t operations = 0;  // on links
  std::uint64_t writes = 0;      // of rows
  std::uint64_t turns = 0;       // of the process' loop
  Time simulated = 0;
  std::uint64_t fingerprint = 0;  // of everything that happened: the same for the same scenario
  std::string log;
};

// Plays a scenario to its end, or to the first broken promise.
[[nodiscard]] Outcome run(const Scenario& scenario, bool verbose = false);

}  // namespace sim
