#include "io/checkpoint_file.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "scratch.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

class CheckpointFileTest : public testing::Test {
 protected:
  void write(std::initializer_list<std::string> records) const {
    CheckpointWriter writer(path_);
    for (const std::string& record : records) writer.append(record);
    writer.commit(older_);
  }
  /// Why a file with these bytes is refused; empty if it is not.
  [[nodiscard]] std::string refusal(const std::string& bytes) const {
    Scratch::write(path_, bytes);
    try {
      const CheckpointReader reader(path_);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  Scratch scratch_;
  fs::path path_ = scratch_.path() / "cell.checkpoint";
  fs::path older_ = scratch_.path() / "cell.checkpoint.old";
};

TEST_F(CheckpointFileTest, gives_back_the_records_in_their_order) {
  const std::string bytes("\0\xff binary \n", 11);
  write({"first", "", bytes});
  CheckpointReader reader(path_);
  EXPECT_EQ(reader.next(), "first");
  EXPECT_EQ(reader.next(), "");
  EXPECT_EQ(reader.next(), bytes);
  EXPECT_THROW((void)reader.next(), Error);
}

TEST_F(CheckpointFileTest, any_flipped_bit_and_any_missing_end_is_noticed) {
  write({"weights", "moments"});
  const std::string whole = Scratch::read(path_);
  ASSERT_EQ(refusal(whole), "");
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const char bit : {'\x01', '\x10', '\x80'}) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ bit);
      EXPECT_NE(refusal(damaged), "") << "byte " << i;
    }
    EXPECT_NE(refusal(whole.substr(0, i)).find(path_.string()), std::string::npos) << "the first " << i << " bytes";
  }
}

TEST_F(CheckpointFileTest, the_last_two_are_kept) {
  write({"one"});
  EXPECT_FALSE(fs::exists(older_));
  write({"two"});
  write({"three"});
  EXPECT_EQ(CheckpointReader(path_).next(), "three");
  EXPECT_EQ(CheckpointReader(older_).next(), "two");
}

TEST_F(CheckpointFileTest, one_that_is_not_committed_leaves_the_last_alone) {
  write({"one"});
  { CheckpointWriter(path_).append("half"); }
  EXPECT_EQ(CheckpointReader(path_).next(), "one");
  EXPECT_EQ(std::distance(fs::directory_iterator(scratch_.path()), fs::directory_iterator()), 1);
}

TEST_F(CheckpointFileTest, a_place_that_cannot_be_written_is_said) {
  EXPECT_THROW(CheckpointWriter(scratch_.path() / "missing" / "x"), Error);
}

}  // namespace
}  // namespace fleet
