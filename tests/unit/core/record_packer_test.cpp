// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE record_packer
#include "core/record_packer.hpp"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "support/cpp/allocations.hpp"

using namespace portsync;

namespace {

const std::string nul_and_more("a\0b", 3);

const std::vector<std::vector<Field>> different{
    {},
    {{"state", ""}},
    {{"state", "ok"}},
    {{"mtu", "ok"}},
    {{"state", "ok"}, {"mtu", ""}},
    {{"mtu", ""}, {"state", "ok"}},
    {{"state", "o"}, {"mtu", "k"}},
    {{"state", nul_and_more}, {"mtu", std::string(70'000, 'x')}},
    {{"state", "ok"}, {"netdev_oper_status", "up"}, {"admin_status", "down"}, {"mtu", "9100"}, {"@index", "up"}},
};

std::string packed(core::RecordPacker& packer, const std::vector<Field>& fields) {
  std::string text;
  packer.pack({"Ethernet0", fields}, text);
  return text;
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_packed_comes_out_again) {
  core::RecordPacker packer;
  PortRecord record{"Ethernet4", {{"before", "1"}, {"before", "2"}}};
  for (const auto& fields : different) {
    packer.unpack(packed(packer, fields), record);
    BOOST_TEST((record.fields == fields));
    BOOST_TEST(record.port == "Ethernet4");
  }
}

BOOST_AUTO_TEST_CASE(texts_are_equal_exactly_when_the_fields_are) {
  core::RecordPacker packer;
  for (std::size_t i = 0; i < different.size(); ++i) {
    for (std::size_t j = 0; j < different.size(); ++j) {
      BOOST_TEST((packed(packer, different[i]) == packed(packer, different[j])) == (i == j));
    }
  }
}

BOOST_AUTO_TEST_CASE(the_steady_state_allocates_nothing) {
  core::RecordPacker packer;
  PortRecord record{"Ethernet0", different.back()};
  PortRecord unpacked;
  std::string text;
  packer.pack(record, text);
  packer.unpack(text, unpacked);
  const std::size_t before = test::allocations;
  record.fields[3].value = "1500";
  packer.pack(record, text);
  packer.unpack(text, unpacked);
  BOOST_TEST(test::allocations - before == 0U);
}
