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
  explicit ImageSamples(const LabelledBytes& images) : images_(images) {}

  std::int64_t size() const override { return static_cast<std::int64_t>(images_.labels.size()); }

  void load(std::span<const std::int32_t> samples) override {
    const auto count = static_cast<std::int64_t>(samples.size());
    if (!inputs_.defined() || inputs_.size(0) != count) {
      inputs_ = torch::empty({count, images_.features}, torch::kFloat32);
      targets_ = torch::empty({count}, torch::kInt64);
    }
    const auto features = static_cast<std::size_t>(images_.features);
    const float scale = 1.0F / (255.0F * images_.deviation);
    const float shift = -images_.mean / images_.deviation;
    auto* input = inputs_.data_ptr<float>();
    auto* label = targets_.data_ptr<std::int64_t>();
    for (const std::int32_t sample : samples) {
      const auto index = static_cast<std::size_t>(sample);
      scale_bytes(images_.values.data() + index * features, features, scale, shift, input);
      input += features;
      *label++ = images_.labels[index];
    }
  }

 private:
  LabelledBytes images_;
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
