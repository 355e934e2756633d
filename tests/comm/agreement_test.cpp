#include "comm/agreement.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace fleet {
namespace {

class AgreementTest : public testing::Test {
 protected:
  /// What every rank hears of `work`; "" where it hears nothing.
  std::string complaint(const std::function<void()>& work) {
    std::string message;
    try {
      work();
    } catch (const Error& error) {
      message = error.what();
    }
    for (const std::string& other : world_.all_gather(message)) EXPECT_EQ(other, message);
    return message;
  }

  Comm world_ = MpiSession::world();
  int last_ = world_.size() - 1;
};

TEST_F(AgreementTest, what_is_the_same_everywhere_is_let_pass) {
  EXPECT_EQ(complaint([&] { require_same(world_, "lunch", ""); }), "");
  EXPECT_EQ(complaint([&] { require_same(world_, "lunch", "soup\nbread"); }), "");
}

TEST_F(AgreementTest, one_rank_that_differs_is_named_with_the_line_that_does) {
  if (world_.size() == 1) GTEST_SKIP() << "one rank agrees with itself";
  const bool odd = world_.rank() == last_;
  const std::string message =
      complaint([&] { require_same(world_, "lunch", odd ? "soup\nrice\nfruit" : "soup\nbread\nfruit"); });
  EXPECT_NE(message.find("ranks disagree about lunch"), std::string::npos) << message;
  EXPECT_NE(message.find(": bread\n"), std::string::npos) << message;
  EXPECT_NE(message.find(cat("rank ", last_, " on ")), std::string::npos) << message;
  EXPECT_NE(message.find(": rice\n"), std::string::npos) << message;
  EXPECT_EQ(message.find("soup"), std::string::npos) << message;
}

TEST_F(AgreementTest, a_text_that_ends_early_or_where_only_line_ends_differ_is_another) {
  if (world_.size() == 1) GTEST_SKIP() << "one rank agrees with itself";
  const bool odd = world_.rank() == last_;
  EXPECT_NE(complaint([&] { require_same(world_, "lunch", odd ? "soup" : "soup\nbread"); }).find(": nothing\n"),
            std::string::npos);
  EXPECT_NE(complaint([&] { require_same(world_, "lunch", odd ? "" : "soup"); }), "");
  EXPECT_NE(complaint([&] { require_same(world_, "lunch", odd ? "soup\n" : "soup"); }), "");
}

TEST_F(AgreementTest, a_failure_of_one_rank_says_which_and_one_of_all_does_not) {
  const auto fail = [&](bool here) {
    return complaint([&] {
      together_telling_where(world_, [&] {
        if (here) throw ConfigError("out of paper");
      });
    });
  };
  EXPECT_EQ(fail(false), "");
  EXPECT_EQ(fail(true), "out of paper");
  if (world_.size() == 1) return;
  const std::string message = fail(world_.rank() == last_);
  EXPECT_EQ(message.find(cat("out of paper\nThis is so on rank ", last_, ", host ")), 0U) << message;
}

TEST_F(AgreementTest, the_kind_of_a_failure_is_kept) {
  EXPECT_THROW(together_telling_where(world_, [] { throw ConfigError("no such key"); }), ConfigError);
  EXPECT_THROW(together_telling_where(world_, [] { throw Error("disk full"); }), SharedError);
}

}  // namespace
}  // namespace fleet
