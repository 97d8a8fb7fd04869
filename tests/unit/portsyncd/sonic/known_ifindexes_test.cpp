// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE known_ifindexes
#include "sonic/known_ifindexes.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include "support/cpp/temporary_folder.hpp"

using namespace portsyncd;

namespace {

const Surroundings here{"5c0f3b0e-7d4b-4f0d-9a7e-0d4a7e0d5c0f", 17};

struct Fixture {
  portsync::test::TemporaryFolder folder;
  const std::string path = folder.file("ifindexes");

  KnownIfindexes::Map all(const Surroundings& where = here) { return KnownIfindexes(path, where).all(); }
  std::string text() {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::string& text) { std::ofstream(path, std::ios::binary | std::ios::trunc) << text; }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(what_is_set_is_there_in_the_next_run, Fixture) {
  {
    KnownIfindexes known(path, here);
    BOOST_TEST(known.all().empty());
    known.set("Ethernet0", 10);
    known.set("Ethernet4", 11);
    known.set("Ethernet8", 12);
    known.set("Ethernet4", 21);
    known.remove("Ethernet8");
    known.remove("Ethernet12");
  }
  BOOST_TEST((all() == KnownIfindexes::Map{{"Ethernet0", 10}, {"Ethernet4", 21}}));
}

BOOST_FIXTURE_TEST_CASE(it_is_there_after_a_sigkill, Fixture) {
  const pid_t child = ::fork();
  BOOST_REQUIRE(child >= 0);
  if (child == 0) {
    KnownIfindexes known(path, here);
    known.set("Ethernet0", 10);
    ::raise(SIGKILL);
  }
  int status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  BOOST_TEST((all() == KnownIfindexes::Map{{"Ethernet0", 10}}));
}

BOOST_FIXTURE_TEST_CASE(another_boot_and_another_namespace_know_nothing_of_it, Fixture) {
  for (const Surroundings& elsewhere : {Surroundings{"another", 17}, Surroundings{here.boot_id, 18}}) {
    KnownIfindexes(path, here).set("Ethernet0", 10);
    BOOST_TEST(all(elsewhere).empty());
    BOOST_TEST(all().empty());  // the file was created again
  }
}

BOOST_FIXTURE_TEST_CASE(a_torn_entry_is_ignored_and_the_others_are_not, Fixture) {
  {
    KnownIfindexes known(path, here);
    known.set("Ethernet0", 10);
    known.set("Ethernet4", 11);
  }
  std::string torn = text();
  torn[torn.find("Ethernet0") + 16] = 99;  // the ifindex without its checksum
  write(torn);
  BOOST_TEST((all() == KnownIfindexes::Map{{"Ethernet4", 11}}));
}

BOOST_FIXTURE_TEST_CASE(a_file_of_another_kind_is_ignored, Fixture) {
  KnownIfindexes(path, here).set("Ethernet0", 10);
  const std::string right = text();
  std::string other_magic = right;
  other_magic[0] = 'x';
  for (const std::string& wrong : {std::string(), std::string("nonsense"), right.substr(0, right.size() / 2),
                                   right + "more", other_magic, std::string(right.size(), '\xff')}) {
    write(wrong);
    BOOST_TEST(all().empty());
    KnownIfindexes(path, here).set("Ethernet4", 11);
    BOOST_TEST((all() == KnownIfindexes::Map{{"Ethernet4", 11}}));
  }
}

BOOST_FIXTURE_TEST_CASE(where_no_file_can_be_is_an_error, Fixture) {
  std::filesystem::create_directory(path);
  BOOST_CHECK_THROW(KnownIfindexes(path, here), std::system_error);
  BOOST_CHECK_THROW(KnownIfindexes(folder.file("none/ifindexes"), here), std::system_error);
}

BOOST_FIXTURE_TEST_CASE(what_a_link_leads_to_is_left_alone, Fixture) {
  const std::string other = folder.write("other", "somebody's");
  std::filesystem::create_symlink(other, path);
  KnownIfindexes(path, here).set("Ethernet0", 10);
  BOOST_TEST((all() == KnownIfindexes::Map{{"Ethernet0", 10}}));
  BOOST_TEST(std::filesystem::file_size(other) == 10U);
}

BOOST_FIXTURE_TEST_CASE(who_has_it_mapped_is_not_disturbed_by_another_that_makes_it_anew, Fixture) {
  KnownIfindexes first(path, here);
  KnownIfindexes(path, {"another", 17}).set("Ethernet0", 10);
  first.set("Ethernet4", 11);
  BOOST_TEST((first.all() == KnownIfindexes::Map{{"Ethernet4", 11}}));
}

BOOST_FIXTURE_TEST_CASE(more_ports_than_there_is_room_for_are_not_kept, Fixture) {
  KnownIfindexes known(path, here);
  for (int i = 1; i <= static_cast<int>(KnownIfindexes::most_ports) + 10; ++i) known.set("p" + std::to_string(i), i);
  BOOST_TEST(known.all().size() == KnownIfindexes::most_ports);
  known.remove("p7");
  known.set("Ethernet0", 5000);
  BOOST_TEST(known.all().at("Ethernet0") == 5000);
  known.set("a_name_of_sixteen", 1);
  known.set("", 1);
  known.set("Ethernet4", 0);
  BOOST_TEST(known.all().size() == KnownIfindexes::most_ports);
}

BOOST_AUTO_TEST_CASE(the_surroundings_are_known_and_stay) {
  const Surroundings first = surroundings();
  BOOST_TEST(first.net_namespace != 0U);
  BOOST_TEST(surroundings().net_namespace == first.net_namespace);
  BOOST_TEST(surroundings().boot_id == first.boot_id);
}
