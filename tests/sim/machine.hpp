// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/host.hpp"
#include "sim/kernel.hpp"
#include "sim/network.hpp"
#include "sim/world.hpp"

namespace sim {

// The machine that the process under test runs on. tests/sim/os reaches it by `Machine::current()`.
struct Machine {
  Machine(std::uint64_t seed, const KernelStyle& style) : world(seed), kernel(world, style), network(world), host(world) {
    current_ = this;
  }
  ~Machine() { current_ = nullptr; }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  [[nodiscard]] static Machine& current() noexcept { return *current_; }
  [[nodiscard]] static bool exists() noexcept { return current_ != nullptr; }

  World world;
  Kernel kernel;
  Network network;
  Host host;

 private:
  static inline Machine* current_ = nullptr;
};

}  // namespace sim
