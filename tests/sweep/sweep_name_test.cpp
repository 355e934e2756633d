#include "sweep/sweep_name.hpp"

#include <gtest/gtest.h>

namespace fleet {
namespace {

bool is_name(std::string_view text) {
  return complaint_about_name(text).empty();
}

TEST(SweepName, has_letters_of_any_language_digits_and_some_signs) {
  for (const char* name : {"a", "7", "mnist", "a.b", "a_b-c+d=e.2", "größe", "данные", "数据"}) {
    EXPECT_TRUE(is_name(name)) << name;
  }
}

TEST(SweepName, has_nothing_that_a_shell_a_path_or_a_line_takes_for_something_else) {
  for (int c = 0; c < 256; ++c) {
    const char byte = static_cast<char>(c);
    const bool plain = std::isalnum(c) != 0 && c < 128;
    EXPECT_EQ(is_name(std::string(1, byte)), plain) << c;
    const bool within = plain || (c > 0 && std::string_view("_-.+=").find(byte) != std::string_view::npos);
    EXPECT_EQ(is_name(std::string("a") + byte + "b"), within) << c;
  }
  for (const char* text : {"..", "a/b", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "a\xe2\x80\xa8z",
                           "a\xc2\xa0z", "a\xe3\x80\x80z", "a\xc2\x85z"}) {
    EXPECT_FALSE(is_name(text)) << text;
  }
}

TEST(SweepName, is_made_of_any_file_name) {
  EXPECT_EQ(name_from("mnist"), "mnist");
  EXPECT_EQ(name_from("my sweep (1)"), "my_sweep_1");
  EXPECT_EQ(name_from("größe 2"), "größe_2");
  EXPECT_EQ(name_from("-- a"), "a");
  EXPECT_EQ(name_from("\n\""), "sweep");
  EXPECT_EQ(name_from(""), "sweep");
  for (const std::string& stem :
       {std::string(300, 'a'), std::string("\xff\xfe x"), std::string("ö", 2) + std::string(250, '.'),
        std::string("..a"), std::string("$(reboot)")}) {
    EXPECT_TRUE(is_name(name_from(stem))) << stem;
  }
}

TEST(SweepName, of_a_file_that_has_one_is_the_file_s) {
  for (const char* name : {"a", "a.b", "größe", "a_b-c+d=e.2"}) EXPECT_EQ(name_from(name), name);
}

}  // namespace
}  // namespace fleet
