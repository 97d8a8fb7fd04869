// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE port_listing
#include "faces/socket/port_listing.hpp"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "support/cpp/control_fixture.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace portsyncd;

namespace {

struct Fixture : ControlFixture {
  explicit Fixture(int ports) { snapshot(ports); }
};

// Returns the names in the order of the text.
std::vector<std::string> names(const std::string& text) {
  const std::string begin = R"({"name":")";
  std::vector<std::string> found;
  for (std::size_t at = text.find(begin); at != std::string::npos; at = text.find(begin, at + 1)) {
    const std::size_t name = at + begin.size();
    found.push_back(text.substr(name, text.find('"', name) - name));
  }
  return found;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_listing_is_made_in_parts_and_in_the_order_of_people) {
  const Fixture f(100);
  PortListing listing(f.control, "", TimePoint());
  int parts = 0;
  while (!listing.complete()) {
    const std::size_t before = names(listing.text()).size();
    listing.make_more();
    BOOST_TEST(names(listing.text()).size() <= before + PortListing::ports_at_once);
    ++parts;
  }
  BOOST_TEST(parts == 5);
  const auto listed = names(listing.text());
  BOOST_REQUIRE(listed.size() == 100U);
  for (int i = 0; i < 100; ++i) BOOST_TEST(listed[static_cast<std::size_t>(i)] == "Ethernet" + std::to_string(i));
  BOOST_TEST(listing.text().ends_with("]}\n"));
}

BOOST_AUTO_TEST_CASE(a_port_that_goes_meanwhile_is_left_out) {
  Fixture f(50);
  PortListing listing(f.control, "Ethernet[1-9]*", TimePoint());
  listing.make_more();
  f.source.remove(50);  // Ethernet49
  while (!listing.complete()) listing.make_more();
  BOOST_TEST(names(listing.text()).size() == 48U);
  BOOST_TEST(names(listing.text()).back() == "Ethernet48");
}

BOOST_AUTO_TEST_CASE(no_port_is_an_empty_list) {
  const Fixture f(1);
  PortListing listing(f.control, "x*", TimePoint());
  listing.make_more();
  BOOST_TEST(listing.complete());
  BOOST_TEST(listing.text() == "{\"ok\":true,\"result\":[]}\n");
}
