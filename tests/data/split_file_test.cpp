#include "data/split_file.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "complaint.hpp"
#include "io/hdf5.hpp"
#include "scratch.hpp"

namespace fleet {
namespace {

class SplitFileTest : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& text) {
    const std::filesystem::path path = directory_.path() / "split.csv";
    std::ofstream(path) << text;
    return path;
  }
  Scratch directory_;
};

TEST_F(SplitFileTest, samples_go_where_they_are_given_whatever_the_order_of_columns) {
  const SplitFile split = read_split(write("part, robot ,sample\ntrain,1,7\r\ntest,0,3\nheld_out,1,0\ntrain,1,2\n"));
  ASSERT_EQ(split.shards.size(), 2U);
  EXPECT_TRUE(split.shards[0].train.empty());
  EXPECT_EQ(split.shards[1].train, (std::vector<std::int32_t>{7, 2}));
  EXPECT_EQ(split.shards[1].held_out, (std::vector<std::int32_t>{0}));
  EXPECT_EQ(split.test[0], (std::vector<std::int32_t>{3}));
  EXPECT_EQ(split.largest_sample, 7);
  EXPECT_EQ(split.largest_test, 3);
}

TEST_F(SplitFileTest, a_table_of_hdf5_is_the_same_split) {
  const std::filesystem::path path = directory_.path() / "split.h5";
  {
    Table table;
    table.add("sample", std::vector<std::int32_t>{7, 2, 3});
    table.add("robot", std::vector<std::int32_t>{1, 1, 0});
    table.add("part", std::vector<std::string>{"train", "train", "test"});
    Hdf5Writer writer(path);
    writer.write_table("split", table);
    writer.commit();
  }
  const SplitFile split = read_split(path);
  const SplitFile same = read_split(write("sample,robot,part\n7,1,train\n2,1,train\n3,0,test\n"));
  EXPECT_EQ(split.digest, same.digest);
  EXPECT_EQ(split.shards[1].train, same.shards[1].train);
  EXPECT_NE(split.digest, read_split(write("sample,robot,part\n7,1,train\n2,1,train\n4,0,test\n")).digest);
}

TEST_F(SplitFileTest, what_is_wrong_is_named_by_line_with_what_was_expected) {
  const auto told = [&](const std::string& text) { return complaint([&] { (void)read_split(write(text)); }); };
  EXPECT_NE(told("").find("is empty"), std::string::npos);
  EXPECT_NE(told("image,robot\n1,2\n").find("split.csv:1: the columns are \"image,robot\""), std::string::npos);
  EXPECT_NE(told("sample,robot\n").find("gives no robot any sample"), std::string::npos);
  EXPECT_NE(told("sample,robot\n1,0\n2\n").find("split.csv:3: there are 1 values for 2 columns"), std::string::npos);
  EXPECT_NE(told("sample,robot\n-1,0\n").find("split.csv:2: sample is \"-1\", expected a whole number"),
            std::string::npos);
  EXPECT_NE(told("sample,robot\n1,x\n").find("split.csv:2: robot is \"x\""), std::string::npos);
  EXPECT_NE(told("sample,robot,part\n1,0,trian\n").find("part is \"trian\", expected train, held_out or test"),
            std::string::npos);
  EXPECT_NE(told("sample,robot\n1,0\n2,0\n1,0\n").find("line 4: robot 0 has sample 1 already, by line 2"),
            std::string::npos);
  EXPECT_NE(told("sample,robot\n1,1000000\n").find("expected fewer than 1000000 robots"), std::string::npos);
}

}  // namespace
}  // namespace fleet
