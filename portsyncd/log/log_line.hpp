// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "log/field.hpp"

namespace portsyncd {

// Builds a line "words key=value key=value", and its fields for the journal.
class LogLine {
 public:
  explicit LogLine(std::string_view words) {
    text_.reserve(256);
    text_ = words;
  }

  LogLine& add(std::string_view key, std::string_view value) {
    ((((text_ += ' ') += key) += '=') += value);
    return *this;
  }

  template <std::integral Integer>
  LogLine& add(std::string_view key, Integer value) {
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    return add(key, std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
  }

  LogLine& field(std::string_view name, std::string value) {
    fields_.push_back({name, std::move(value)});
    return *this;
  }

  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] const std::vector<log::Field>& fields() const noexcept { return fields_; }

 private:
  std::string text_;
  std::vector<log::Field> fields_;
};

}  // namespace portsyncd
