// SPDX-License-Identifier: Apache-2.0
#include <portsync/error.hpp>
#include <string>

namespace portsync {
namespace {

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "portsync"; }

  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {
      case Errc::not_supported:
        return "not supported by this object";
      case Errc::not_started:
        return "not started";
      case Errc::already_started:
        return "already started";
      case Errc::not_open:
        return "not open";
      case Errc::busy:
        return "an operation of this kind is under way";
      case Errc::no_room:
        return "no room for another row until earlier ones are answered";
      case Errc::try_again:
        return "not done, try again";
      case Errc::closed:
        return "closed for good";
    }
    return "unknown error " + std::to_string(value);
  }
};

}  // namespace

const std::error_category& error_category() noexcept {
  static const Category category;
  return category;
}

}  // namespace portsync
