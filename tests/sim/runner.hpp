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
  std::uint64_t operations = 0;  // of links
  std::uint64_t writes = 0;      // of rows
  std::uint64_t turns = 0;       // of the process' loop
  Time simulated = 0;
  std::uint64_t fingerprint = 0;  // of all that happened: the same for the same scenario
  std::string log;
};

// Plays a scenario from its beginning to its end, or to the first promise that is broken.
[[nodiscard]] Outcome run(const Scenario& scenario, bool verbose = false);

}  // namespace sim
