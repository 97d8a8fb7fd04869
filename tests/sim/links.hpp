// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "sim/kernel.hpp"
#include "sim/scenario.hpp"

namespace sim {

// Carries out the steps that concern links.
class Links {
 public:
  Links(Kernel& kernel, const Setup& setup);
  void act(const Step& step);
  // Adds a port and sets it up, if there is none.
  void add_first();
  // Returns how many changes of links there were.
  [[nodiscard]] std::uint64_t operations() const noexcept { return operations_; }
  [[nodiscard]] std::size_t count() const noexcept { return kernel_.links().size(); }

 private:
  [[nodiscard]] std::string name(std::uint32_t number) const;
  [[nodiscard]] const Link* port(std::uint32_t number) const { return kernel_.find(name(number)); }
  void count_if(bool done) { operations_ += done ? 1 : 0; }
  [[nodiscard]] static bool wanted(const Step& step, bool now);
  bool add(std::uint32_t number, std::uint32_t choice, std::int32_t ifindex);
  bool set_carrier(const Link& link, bool on);
  bool swap(const Link& one, const Link& other);

  Kernel& kernel_;
  const Setup& setup_;
  std::int32_t bridge_ = 0;
  std::uint64_t operations_ = 0;
};

}  // namespace sim
