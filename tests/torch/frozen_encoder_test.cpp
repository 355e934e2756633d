#include "torch/frozen_encoder.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "complaint.hpp"
#include "scratch.hpp"
#include "torch/encoder_file.hpp"

namespace fleet {
namespace {

class FrozenEncoderTest : public testing::Test {
 protected:
  std::filesystem::path encoder(const std::string& expression, const std::string& name = "encoder.pt") const {
    write_encoder(scratch_.path() / name, expression);
    return scratch_.path() / name;
  }
  static std::string failure(const std::filesystem::path& file) {
    try {
      (void)FrozenEncoder(file, 2, 4, 6);
    } catch (const Error& error) {
      return error.what();
    }
    return "read";
  }

  Scratch scratch_;
};

TEST_F(FrozenEncoderTest, sees_red_green_and_blue_from_0_to_1_row_by_row_from_the_top) {
  const FrozenEncoder encoder(this->encoder("x.flatten(1)"), 2, 4, 6);
  ASSERT_EQ(encoder.features(), 3U * 4 * 6);
  std::vector<std::uint8_t> rgb(2 * 3 * 4 * 6);
  for (std::size_t i = 0; i < rgb.size(); ++i) rgb[i] = static_cast<std::uint8_t>(i);
  std::vector<float> seen(rgb.size());
  encoder.encode(rgb, seen);
  for (std::size_t picture = 0; picture < 2; ++picture) {
    for (std::size_t pixel = 0; pixel < 24; ++pixel) {
      for (std::size_t channel = 0; channel < 3; ++channel) {
        EXPECT_EQ(seen[picture * 72 + channel * 24 + pixel],
                  static_cast<float>(rgb[picture * 72 + pixel * 3 + channel]) / 255.0F);
      }
    }
  }
}

/// TorchScript would rewrite what it has seen twice, and round otherwise from then on.
TEST_F(FrozenEncoderTest, gives_the_same_bits_from_the_first_picture_on) {
  const FrozenEncoder encoder(this->encoder("torch.tanh(x * 1.7 + x.exp()).sin().mean([2]).flatten(1)"), 1, 32, 32);
  std::vector<std::uint8_t> rgb(3 * 32 * 32);
  for (std::size_t i = 0; i < rgb.size(); ++i) rgb[i] = static_cast<std::uint8_t>(7 * i);
  std::vector<float> first(encoder.features());
  encoder.encode(rgb, first);
  for (int time = 0; time < 5; ++time) {
    std::vector<float> again(first.size());
    encoder.encode(rgb, again);
    EXPECT_EQ(again, first);
  }
}

TEST_F(FrozenEncoderTest, is_known_by_its_bytes) {
  const FrozenEncoder one(encoder("x.mean([2, 3])", "one.pt"), 1, 4, 6);
  std::filesystem::copy_file(scratch_.path() / "one.pt", scratch_.path() / "copy.pt");
  EXPECT_EQ(FrozenEncoder(scratch_.path() / "copy.pt", 1, 4, 6).digest(), one.digest());
  EXPECT_NE(FrozenEncoder(encoder("x.amax([2, 3])", "other.pt"), 1, 4, 6).digest(), one.digest());
}

TEST_F(FrozenEncoderTest, what_is_no_encoder_is_named_and_refused) {
  expect_says(failure(scratch_.path() / "none.pt"), {"none.pt: there is no such file", "make_encoder.py"});
  expect_says(failure(scratch_.path()), {"there is no such file"});  // a folder
  Scratch::write(scratch_.path() / "text.pt", "no module");
  expect_says(failure(scratch_.path() / "text.pt"), {"text.pt: not a TorchScript module", "make_encoder.py"});
  expect_says(failure(encoder("x.view([x.size(0), 1, 100])")), {"encoder.pt: takes no pictures of 3 x 4 x 6"});
  expect_says(failure(encoder("x")), {"of 2 x 3 x 4 x 6 it makes 2 x 3 x 4 x 6, expected 2 x the number of features"});
  expect_says(failure(encoder("x.mean()")), {"it makes a single number"});
  expect_says(failure(encoder("x.mean([2, 3]) / 0.0")), {"a feature of a black picture is not finite"});
  const FrozenEncoder of_white(encoder("1.0 / (1.0 - x.mean([2, 3]))"), 1, 4, 6);
  const std::vector<std::uint8_t> white(72, 255);
  std::vector<float> into(3);
  EXPECT_THROW(of_white.encode(white, into), Error);
}

}  // namespace
}  // namespace fleet
