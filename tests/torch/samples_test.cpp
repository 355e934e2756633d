// Images that are varied in training: moved and mirrored, and nothing else.
#include "torch/samples.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "torch/supervised.hpp"

namespace fleet {
namespace {

/// Eight images of two channels, 3 x 4 pixels, no two alike.
class VariedImages : public testing::Test {
 protected:
  static constexpr int kHeight = 3;
  static constexpr int kWidth = 4;
  static constexpr int kFeatures = 2 * kHeight * kWidth;
  static constexpr int kImages = 8;

  VariedImages() : values_(static_cast<std::size_t>(kImages * kFeatures)), labels_(kImages), all_(kImages) {
    std::iota(values_.begin(), values_.end(), std::uint8_t{1});
    std::iota(labels_.begin(), labels_.end(), std::uint8_t{0});
    std::iota(all_.begin(), all_.end(), 0);
  }
  std::shared_ptr<Samples> samples(const Variation& variation) const {
    return make_samples(LabelledBytes{.values = values_,
                                      .labels = labels_,
                                      .features = kFeatures,
                                      .mean = {0.25F, 0.5F},
                                      .deviation = {0.5F, 2.0F},
                                      .width = kWidth,
                                      .variation = variation});
  }
  static std::vector<float> loaded(const Samples& samples) {
    const float* data = samples.inputs().data_ptr<float>();
    return {data, data + samples.inputs().numel()};
  }
  /// Where in its image each varied pixel comes from, told by its value; nothing of an image is mixed with another.
  float pixel(int image, int channel, int y, int x) const {
    const bool inside = y >= 0 && y < kHeight && x >= 0 && x < kWidth;
    const float value =
        inside ? values_[static_cast<std::size_t>(((image * 2 + channel) * kHeight + y) * kWidth + x)] : 0.0F;
    return channel == 0 ? (value / 255.0F - 0.25F) / 0.5F : (value / 255.0F - 0.5F) / 2.0F;
  }
  bool is(const std::vector<float>& found, int image, int down, int right, bool mirror) const {
    std::size_t at = static_cast<std::size_t>(image * kFeatures);
    for (int channel = 0; channel < 2; ++channel) {
      for (int y = 0; y < kHeight; ++y) {
        for (int x = 0; x < kWidth; ++x) {
          const float wanted = pixel(image, channel, y - down, (mirror ? kWidth - 1 - x : x) - right);
          if (std::abs(found[at++] - wanted) > 1e-5F) return false;
        }
      }
    }
    return true;
  }

  std::vector<std::uint8_t> values_;
  std::vector<std::uint8_t> labels_;
  std::vector<std::int32_t> all_;
};

TEST_F(VariedImages, are_as_they_are_where_nobody_trains_and_where_nothing_is_to_vary) {
  const std::shared_ptr<Samples> varied = samples({.shift = 2, .mirror = true});
  varied->load(all_);
  const std::vector<float> plain = loaded(*varied);
  for (int image = 0; image < kImages; ++image) EXPECT_TRUE(is(plain, image, 0, 0, false));
  RandomStream stream(1, Purpose::kTest);
  const std::shared_ptr<Samples> same = samples({});
  same->load_varied(all_, stream);
  EXPECT_EQ(loaded(*same), plain);
}

TEST_F(VariedImages, are_moved_by_any_offset_and_mirrored_or_not_each_on_its_own) {
  const std::shared_ptr<Samples> varied = samples({.shift = 1, .mirror = true});
  std::set<std::tuple<int, int, bool>> seen;
  for (std::uint64_t draw = 0; draw < 40; ++draw) {
    RandomStream stream(2, Purpose::kTest, 0, draw);
    varied->load_varied(all_, stream);
    const std::vector<float> found = loaded(*varied);
    for (int image = 0; image < kImages; ++image) {
      int ways = 0;
      for (int down = -1; down <= 1; ++down) {
        for (int right = -1; right <= 1; ++right) {
          for (const bool mirror : {false, true}) {
            if (!is(found, image, down, right, mirror)) continue;
            ++ways;
            seen.emplace(down, right, mirror);
          }
        }
      }
      EXPECT_EQ(ways, 1) << "image " << image;
    }
    EXPECT_EQ(varied->targets().sum().item<std::int64_t>(), 28);
  }
  EXPECT_EQ(seen.size(), 18U);
}

TEST_F(VariedImages, are_what_the_stream_alone_decides) {
  const std::shared_ptr<Samples> varied = samples({.shift = 2, .mirror = true});
  const auto drawn = [&](std::uint64_t draw) {
    RandomStream stream(3, Purpose::kTest, 0, draw);
    varied->load_varied(all_, stream);
    return loaded(*varied);
  };
  const std::vector<float> first = drawn(0);
  EXPECT_NE(drawn(1), first);
  EXPECT_EQ(drawn(0), first);
}

}  // namespace
}  // namespace fleet
