// What merging methods ask robots about their own data, beyond their weights. A world may leave some of it unanswered.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace fleet {

/// Functions of LocalData and, of kGradientTerm, Robot::follow().
enum class Question : std::uint16_t {
  kLossGradient = 1U << 0U,
  kHeldOutScore = 1U << 1U,
  kHeldOutLoss = 1U << 2U,
  kMapMoments = 1U << 3U,
  kHeadData = 1U << 4U,
  kTrials = 1U << 5U,
  kSteps = 1U << 6U,
  kCurvature = 1U << 7U,
  kGradientTerm = 1U << 8U,
};
inline constexpr std::array<std::pair<std::string_view, Question>, 9> kQuestions{
    {{"loss_gradient", Question::kLossGradient},
     {"held_out_score", Question::kHeldOutScore},
     {"held_out_loss", Question::kHeldOutLoss},
     {"map_moments", Question::kMapMoments},
     {"head_data", Question::kHeadData},
     {"trials", Question::kTrials},
     {"take_steps", Question::kSteps},
     {"curvature", Question::kCurvature},
     {"follow", Question::kGradientTerm}}};

class Questions {
 public:
  constexpr Questions() = default;
  constexpr Questions(std::initializer_list<Question> all) {
    for (const Question each : all) bits_ |= static_cast<unsigned>(each);
  }
  [[nodiscard]] static constexpr Questions all() {
    Questions questions;
    for (const auto& [name, each] : kQuestions) questions.bits_ |= static_cast<unsigned>(each);
    return questions;
  }

  [[nodiscard]] constexpr bool contains(Question each) const { return (bits_ & static_cast<unsigned>(each)) != 0; }
  [[nodiscard]] constexpr bool contains(Questions others) const { return (others.bits_ & ~bits_) == 0; }
  constexpr Questions operator|(Questions others) const {
    Questions questions;
    questions.bits_ = bits_ | others.bits_;
    return questions;
  }
  /// Those that are not among `others`.
  [[nodiscard]] constexpr Questions without(Questions others) const {
    Questions questions;
    questions.bits_ = bits_ & ~others.bits_;
    return questions;
  }
  /// "loss_gradient and map_moments".
  [[nodiscard]] std::string to_string() const {
    std::string text;
    for (const auto& [name, each] : kQuestions) {
      if (contains(each)) text += std::string(text.empty() ? "" : " and ").append(name);
    }
    return text;
  }

 private:
  unsigned bits_ = 0;
};

}  // namespace fleet
