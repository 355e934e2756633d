#include "sweep/cell_checkpoint.hpp"

#include <gtest/gtest.h>

#include <sstream>

#include "scratch.hpp"

namespace fleet {
namespace {

class CellCheckpointTest : public testing::Test {
 protected:
  CellCheckpoint checkpoint(const std::string& origin = "cell 1 of fleet 1") { return {file_, origin, "c1", log_}; }
  void save(const std::string& state) {
    CellCheckpoint writer = checkpoint();
    writer.create();
    writer.append(state);
    writer.commit();
  }

  Scratch scratch_;
  std::filesystem::path file_ = scratch_.path() / "1.checkpoint";
  std::ostringstream log_;
};

TEST_F(CellCheckpointTest, goes_on_from_the_newest) {
  EXPECT_FALSE(checkpoint().open());
  save("one");
  save("two");
  CellCheckpoint reader = checkpoint();
  ASSERT_TRUE(reader.open());
  EXPECT_EQ(reader.next(), "two");
  EXPECT_EQ(log_.str(), "");
}

TEST_F(CellCheckpointTest, refuses_a_damaged_one_with_its_reason_and_takes_the_older) {
  save("one");
  save("two");
  const std::string whole = Scratch::read(file_);
  Scratch::write(file_, whole.substr(0, whole.size() - 3));
  CellCheckpoint reader = checkpoint();
  ASSERT_TRUE(reader.open());
  EXPECT_EQ(reader.next(), "one");
  EXPECT_NE(log_.str().find("truncated"), std::string::npos) << log_.str();
}

TEST_F(CellCheckpointTest, a_damaged_one_never_takes_the_place_of_a_good_one) {
  save("one");
  save("two");
  Scratch::write(file_, Scratch::read(file_).substr(0, 10));
  {
    CellCheckpoint resumed = checkpoint();
    ASSERT_TRUE(resumed.open());
  }
  save("three");
  Scratch::write(file_, "cut short");
  CellCheckpoint reader = checkpoint();
  ASSERT_TRUE(reader.open());
  EXPECT_EQ(reader.next(), "one");
}

TEST_F(CellCheckpointTest, refuses_that_of_another_program) {
  save("one");
  EXPECT_FALSE(checkpoint("cell 1 of fleet 2").open());
  EXPECT_NE(log_.str().find("written by cell 1 of fleet 1, not cell 1 of fleet 2"), std::string::npos) << log_.str();
}

TEST_F(CellCheckpointTest, leaves_nothing_behind_when_discarded) {
  save("one");
  save("two");
  checkpoint().discard();
  EXPECT_TRUE(std::filesystem::is_empty(scratch_.path()));
}

}  // namespace
}  // namespace fleet
