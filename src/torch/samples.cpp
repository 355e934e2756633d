#include "torch/samples.hpp"

#include <algorithm>

#include "base/multiversion.hpp"
#include "torch/supervised.hpp"

namespace fleet {
namespace {

FLEET_MULTIVERSION
void scale_bytes(const std::uint8_t* __restrict bytes, std::size_t size, float scale, float shift,
                 float* __restrict out) {
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<float>(bytes[i]) * scale + shift;
}

class ImageSamples final : public Samples {
 public:
  explicit ImageSamples(const LabelledBytes& images) : images_(images) {
    for (std::size_t channel = 0; channel < images.mean.size(); ++channel) {
      scale_.push_back(1.0F / (255.0F * images.deviation[channel]));
      black_.push_back(-images.mean[channel] / images.deviation[channel]);
    }
    plane_ = static_cast<std::size_t>(images.features) / scale_.size();
  }

  std::int64_t size() const override { return static_cast<std::int64_t>(images_.labels.size()); }

  void load(std::span<const std::int32_t> samples) override {
    const auto count = static_cast<std::int64_t>(samples.size());
    if (!inputs_.defined() || inputs_.size(0) != count) {
      inputs_ = torch::empty({count, images_.features}, torch::kFloat32);
      targets_ = torch::empty({count}, torch::kInt64);
    }
    auto* input = inputs_.data_ptr<float>();
    auto* label = targets_.data_ptr<std::int64_t>();
    for (const std::int32_t sample : samples) {
      const auto index = static_cast<std::size_t>(sample);
      const std::uint8_t* pixels = images_.values.data() + index * static_cast<std::size_t>(images_.features);
      for (std::size_t channel = 0; channel < scale_.size(); ++channel) {
        scale_bytes(pixels, plane_, scale_[channel], black_[channel], input);
        pixels += plane_;
        input += plane_;
      }
      *label++ = images_.labels[index];
    }
  }

  void load_varied(std::span<const std::int32_t> samples, RandomStream& stream) override {
    load(samples);
    if (!images_.variation.any()) return;
    auto* plane = inputs_.data_ptr<float>();
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const auto positions = static_cast<std::uint64_t>(2 * images_.variation.shift + 1);
      const int down = static_cast<int>(stream.below(positions)) - images_.variation.shift;
      const int right = static_cast<int>(stream.below(positions)) - images_.variation.shift;
      const bool mirror = images_.variation.mirror && stream.below(2) == 1;
      for (const float black : black_) {
        vary(plane, black, down, right, mirror);
        plane += plane_;
      }
    }
  }

 private:
  void vary(float* plane, float black, int down, int right, bool mirror) {
    const int width = images_.width;
    const int height = static_cast<int>(plane_) / width;
    before_.assign(plane, plane + plane_);
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        const int from_y = y - down;
        const int from_x = (mirror ? width - 1 - x : x) - right;
        const bool inside = from_y >= 0 && from_y < height && from_x >= 0 && from_x < width;
        *plane++ = inside ? before_[static_cast<std::size_t>(from_y * width + from_x)] : black;
      }
    }
  }

  LabelledBytes images_;
  std::vector<float> scale_;  // of a byte, by channel
  std::vector<float> black_;  // what 0 becomes
  std::size_t plane_;         // pixels of a channel
  std::vector<float> before_;
};

class TextSamples final : public Samples {
 public:
  explicit TextSamples(TextWindows text) : text_(std::move(text)) {}

  std::int64_t size() const override { return static_cast<std::int64_t>(text_.starts.size()); }

  void load(std::span<const std::int32_t> samples) override {
    const auto count = static_cast<std::int64_t>(samples.size());
    if (!inputs_.defined() || inputs_.size(0) != count) {
      inputs_ = torch::empty({count, text_.window}, torch::kInt64);
      targets_ = torch::empty({count * text_.window}, torch::kInt64);
    }
    const auto window = static_cast<std::size_t>(text_.window);
    auto* input = inputs_.data_ptr<std::int64_t>();
    auto* target = targets_.data_ptr<std::int64_t>();
    for (const std::int32_t sample : samples) {
      const auto start = static_cast<std::size_t>(text_.starts[static_cast<std::size_t>(sample)]);
      std::copy_n(text_.symbols.data() + start, window, input);
      std::copy_n(text_.symbols.data() + start + 1, window, target);
      input += window;
      target += window;
    }
  }

 private:
  TextWindows text_;
};

class DemonstrationSamples final : public Samples {
 public:
  explicit DemonstrationSamples(Demonstrations source) : source_(std::move(source)) {}

  std::int64_t size() const override { return static_cast<std::int64_t>(source_.actions.size()) / source_.dimensions; }

  void load(std::span<const std::int32_t> samples) override {
    const auto count = static_cast<std::int64_t>(samples.size());
    const std::int64_t rows = std::max(1, source_.window);
    if (!inputs_.defined() || inputs_.size(0) != count) {
      inputs_ = source_.window > 0 ? torch::empty({count, rows, source_.features}, torch::kFloat32)
                                   : torch::empty({count, source_.features}, torch::kFloat32);
      targets_ = torch::empty({count * rows, source_.dimensions}, torch::kFloat32);
    }
    const auto features = static_cast<std::size_t>(source_.features);
    auto* input = inputs_.data_ptr<float>();
    auto* target = targets_.data_ptr<float>();
    for (const std::int32_t sample : samples) {
      for (std::int64_t row = 0; row < rows; ++row) {
        source_.observe(sample + static_cast<std::int32_t>(row), {input, features});
        input += features;
      }
      target = std::copy_n(source_.actions.data() + static_cast<std::ptrdiff_t>(sample) * source_.dimensions,
                           rows * source_.dimensions, target);
    }
  }

 private:
  Demonstrations source_;
};

}  // namespace

std::shared_ptr<Samples> make_samples(const LabelledBytes& images) {
  return std::make_shared<ImageSamples>(images);
}

std::shared_ptr<Samples> make_samples(TextWindows text) {
  return std::make_shared<TextSamples>(std::move(text));
}

std::shared_ptr<Samples> make_samples(Demonstrations demonstrations) {
  return std::make_shared<DemonstrationSamples>(std::move(demonstrations));
}

}  // namespace fleet
