#include "external/workload.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "base/stopwatch.hpp"
#include "external/local_data.hpp"
#include "io/network_file.hpp"

namespace fleet {
namespace {

constexpr std::int64_t kMost = std::int64_t{1} << 53U;  // of integers that every reader of JSON has exactly

/// Which data a robot trains on.
enum class Role { kOwn, kJoint, kFinetune };

class ExternalRobot final : public Robot {
 public:
  ExternalRobot(const ExternalCell& cell, Role role, int index, std::int64_t samples)
      : cell_(cell),
        name_(role == Role::kOwn     ? cat("robot ", index)
              : role == Role::kJoint ? "the joint robot"
                                     : "the finetuned robot"),
        handle_(cell.talk->new_handle()),
        samples_(samples),
        data_(cell, index, handle_, name_) {
    constexpr std::array<const char*, 3> kRoles = {"own", "joint", "finetune"};
    const Answer answer = ask("robot", {{"role", kRoles.at(static_cast<std::size_t>(role))}, {"index", index}});
    if (role != Role::kOwn) samples_ = answer.whole("samples", 0, kMost);
  }
  ~ExternalRobot() override {
    try {
      if (cell_.talk->is_open()) ask("forget_robot", {});
    } catch (const Error&) {  // what comes next will tell
    }
  }

  void initialize(ParamVector& weights) const override {
    const Place place(cell_.talk->memory(), cell_.bytes());
    ask("initialize", {{"into", place.offset()}});
    std::ranges::copy(place.values<float>(weights.flat().size()), weights.flat().begin());
  }
  std::int64_t samples() const override { return samples_; }
  void expect(std::int64_t total_steps) override { total_steps_ = total_steps; }

  double train(ParamVector& weights, Optimizer& optimizer, std::int64_t steps,
               const std::function<bool()>& stop) override {
    const Training training(*this, weights, optimizer);
    double loss = 0.0;
    std::int64_t done = 0;
    for (bool stopped = false; done < steps && !stopped;) {
      std::int64_t next = 0;
      while (next < std::min(at_once_, steps - done) && !stopped) {
        stopped = stop();
        next += stopped ? 0 : 1;
      }
      if (next == 0) break;
      const Stopwatch watch;
      loss += training.go_on(next);
      done += next;
      at_once_ = resized(at_once_, watch.seconds());
    }
    training.finish();
    return done > 0 ? loss / static_cast<double>(done) : 0.0;
  }
  void rest() override { ask("rest", {}); }

  void save(StateWriter& state) override {
    require(cell_.has_states, "the robots of ", cell_.talk->name(), " cannot be saved");
    const auto size = static_cast<std::size_t>(ask("save", {}).whole("bytes", 0, kMost));
    const Place place(cell_.talk->memory(), size);
    ask("take_state", {{"into", place.offset()}});
    state.write_all(std::span<const char>(place.values<char>(size)));
  }
  void load(StateReader& state) override {
    const std::vector<char> own = state.read_all<char>();
    const Place place(cell_.talk->memory(), own.size());
    std::ranges::copy(own, place.values<char>(own.size()).begin());
    ask("load", {{"from", place.offset()}, {"bytes", own.size()}});
  }

  double loss_gradient(const ParamVector& at, int batch, RandomStream& stream, ParamVector& gradient) override {
    return data_.loss_gradient(at, batch, stream, gradient);
  }
  Score held_out_score(const ParamVector& at) override { return data_.held_out_score(at); }
  Score held_out_loss(const ParamVector& at) override { return data_.held_out_loss(at); }
  bool judges() const override { return data_.judges(); }
  bool is_quadratic() const override { return data_.is_quadratic(); }
  MapMoments map_moments(const ParamVector& features, const ParamVector& targets, std::size_t map) override {
    return data_.map_moments(features, targets, map);
  }
  OutputSums output_sums(const ParamVector& at, std::size_t map) override { return data_.output_sums(at, map); }
  std::unique_ptr<HeadData> head_data(const ParamVector& body) override { return data_.head_data(body); }
  Score trials(const ParamVector& at, int episodes, std::uint64_t draw) override {
    return data_.trials(at, episodes, draw);
  }
  ParamVector take_steps(const ParamVector& start, const LocalSteps& steps, std::uint64_t draw,
                         const GradientTerm* term) override {
    return data_.take_steps(start, steps, draw, term);
  }
  Curvature curvature(const ParamVector& at, std::uint64_t draw) override { return data_.curvature(at, draw); }

 private:
  /// Weights, and what merges carry of the optimiser, where the program trains on them.
  class Training {
   public:
    Training(const ExternalRobot& robot, ParamVector& weights, Optimizer& optimizer)
        : robot_(robot),
          weights_(weights),
          optimizer_(optimizer),
          size_(weights.flat().size()),
          place_(robot.cell_.talk->memory(), (1 + optimizer.moments().size()) * stride()) {
      std::ranges::copy(weights.flat(), shared(0).begin());
      for (std::size_t m = 0; m < moments(); ++m) {
        std::copy_n(optimizer.moments()[m].data(), size_, shared(1 + m).begin());
      }
    }
    /// The sum of the steps' losses.
    double go_on(std::int64_t steps) const {
      Json places = Json::array();
      for (std::size_t m = 1; m <= moments(); ++m) places.push_back(place_.offset() + m * stride());
      const Answer answer = robot_.ask("train", {{"weights", place_.offset()},
                                                 {"moments", std::move(places)},
                                                 {"steps", steps},
                                                 {"total_steps", robot_.total_steps_},
                                                 {"moment_steps", optimizer_.steps()},
                                                 {"fresh", optimizer_.steps() == 0}});
      optimizer_.count_steps(steps);
      const double loss = answer.number("loss");
      require(std::isfinite(loss), robot_.name_, ": the training loss is no longer finite");
      return loss;
    }
    void finish() const {
      std::ranges::copy(shared(0), weights_.flat().begin());
      for (std::size_t m = 0; m < moments(); ++m) {
        std::ranges::copy(shared(1 + m), optimizer_.moments()[m].data());
      }
    }

   private:
    [[nodiscard]] std::size_t moments() const { return optimizer_.moments().size(); }
    /// Bytes from one vector to the next.
    [[nodiscard]] std::size_t stride() const {
      constexpr std::size_t kUnit = SharedMemory::kAlignment;
      return (size_ * sizeof(float) + kUnit - 1) / kUnit * kUnit;
    }
    [[nodiscard]] std::span<float> shared(std::size_t vector) const {
      const std::size_t step = stride() / sizeof(float);
      return place_.values<float>((1 + moments()) * step).subspan(vector * step, size_);
    }

    const ExternalRobot& robot_;
    ParamVector& weights_;
    Optimizer& optimizer_;
    std::size_t size_;
    Place place_;
  };

  /// As many steps as take a tenth of a second, so that a stop is heard of soon, and messages take no time.
  static std::int64_t resized(std::int64_t steps, double seconds) {
    constexpr double kAim = 0.1;
    const double fit = static_cast<double>(steps) * kAim / std::max(seconds, 1e-6);
    return static_cast<std::int64_t>(std::clamp(fit, 1.0, 8.0 * static_cast<double>(steps)));
  }

  Answer ask(std::string_view call, Json fields) const {
    fields["robot"] = handle_;
    return cell_.ask(call, std::move(fields));
  }

  const ExternalCell& cell_;
  std::string name_;
  std::int64_t handle_;
  std::int64_t samples_;
  ExternalData data_;
  std::int64_t total_steps_ = 0;
  std::int64_t at_once_ = 1;  // steps in a message
};

class ExternalWorkload final : public Workload {
 public:
  ExternalWorkload(std::shared_ptr<Conversation> talk, const ExternalFacts& facts, const ExternalRequest& request)
      : network_(parse_network(facts.network, "the network of " + talk->name())), facts_(facts) {
    optimizer_.kind = OptimizerOptions::Kind::kElsewhere;
    if (request.moments) optimizer_.squares = facts.moments;
    cell_.number = talk->new_handle();
    cell_.talk = std::move(talk);
    cell_.symmetry = &network_.symmetry;
    cell_.maps = network_.maps;
    cell_.quadratic = facts.quadratic;
    cell_.judges = facts.offers.contains(Question::kHeldOutScore) && facts.offers.contains(Question::kHeldOutLoss);
    cell_.has_states = facts.states;
    cell_.seed = request.seed;
    cell_.batch = facts.batch;
    open(cell_.ask("open", {{"settings", request.settings},
                            {"robots", request.robots},
                            {"seed", request.seed},
                            {"initialization", request.common_initialization ? "common" : "different"},
                            {"device", request.device}}),
         request.robots);
  }
  ~ExternalWorkload() override {
    try {
      if (cell_.talk->is_open()) cell_.ask("close", {});
    } catch (const Error&) {  // what comes next will tell
    }
  }

  const SymmetrySpec& symmetry() const override { return network_.symmetry; }
  std::span<const AffineMap> maps() const override { return network_.maps; }
  OptimizerOptions optimizer() const override { return optimizer_; }
  std::vector<std::int64_t> histogram(int robot) const override { return histograms_[static_cast<std::size_t>(robot)]; }
  std::int64_t steps_per_epoch(int robot) const override { return steps_[static_cast<std::size_t>(robot)]; }

  std::unique_ptr<Robot> make_robot(int robot) override {
    return make(Role::kOwn, robot, samples_[static_cast<std::size_t>(robot)]);
  }
  std::unique_ptr<Robot> make_joint_robot() override {
    require(facts_.joint, cell_.talk->name(), " has no robot with everybody's data");
    return make(Role::kJoint, 0, 0);
  }
  std::unique_ptr<Robot> make_finetune_robot() override {
    if (!facts_.finetune) return Workload::make_finetune_robot();
    return make(Role::kFinetune, static_cast<int>(samples_.size()), 0);
  }

  int test_parts() const override { return parts_; }
  std::vector<std::string> metrics() const override { return metrics_; }
  std::vector<Score> test_scores(const ParamVector& weights, int part) override {
    const SentWeights sent(cell_, weights);
    const Answer answer = cell_.ask("test", {{"at", sent.offset()}, {"part", part}});
    std::vector<Score> scores;
    for (const std::vector<double>& row : answer.rows("scores", 2)) scores.push_back({row[0], row[1]});
    if (scores.size() != metrics_.size()) {
      answer.reject(cat("\"scores\" has ", scores.size(), " entries; there are ", metrics_.size(), " metrics"));
    }
    return scores;
  }

 private:
  std::unique_ptr<Robot> make(Role role, int index, std::int64_t samples) {
    return std::make_unique<ExternalRobot>(cell_, role, index, samples);
  }

  void open(const Answer& answer, int robots) {
    const auto of_each = [&](const char* name) {
      std::vector<std::int64_t> counts = answer.wholes(name);
      const bool fits = std::cmp_equal(counts.size(), robots) &&
                        std::ranges::all_of(counts, [](std::int64_t count) { return count >= 0 && count <= kMost; });
      if (!fits) answer.reject(cat("\"", name, "\" is no list of ", robots, " counts, one for each robot"));
      return counts;
    };
    samples_ = of_each("samples");
    steps_ = of_each("steps_per_epoch");
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      if ((samples_[i] > 0) == (steps_[i] > 0)) continue;
      answer.reject(cat("robot ", i, " has ", samples_[i], " samples, but ", steps_[i], " steps in an epoch"));
    }
    parts_ = static_cast<int>(answer.whole("parts", 1, 1'000'000));
    metrics_ = answer.texts("metrics");
    if (metrics_.empty()) answer.reject("\"metrics\" is empty: weights are judged by at least one");
    read_histograms(answer);
  }

  /// Of programs that say nothing of labels every robot has one, with all of its samples.
  void read_histograms(const Answer& answer) {
    if (!answer.has("labels")) {
      for (const std::int64_t samples : samples_) histograms_.push_back({samples});
      return;
    }
    const Json& rows = answer.at("labels");
    if (!rows.is_array() || rows.size() != samples_.size()) {
      answer.reject(cat("\"labels\" is no list of ", samples_.size(), " lists, one for each robot"));
    }
    for (const Json& row : rows) {
      const bool counts =
          row.is_array() && row.size() == rows.front().size() &&
          std::all_of(row.begin(), row.end(), [](const Json& item) { return item.is_number_unsigned(); });
      if (!counts) answer.reject("\"labels\" holds no lists of counts of equal length");
      histograms_.push_back(row.get<std::vector<std::int64_t>>());
    }
  }

  NetworkFile network_;
  ExternalFacts facts_;
  ExternalCell cell_;
  OptimizerOptions optimizer_;
  std::vector<std::int64_t> samples_;
  std::vector<std::int64_t> steps_;
  std::vector<std::vector<std::int64_t>> histograms_;
  int parts_ = 1;
  std::vector<std::string> metrics_;
};

/// Questions that the protocol has messages for.
constexpr Questions kSpoken{Question::kLossGradient, Question::kHeldOutScore, Question::kHeldOutLoss,
                            Question::kMapMoments,   Question::kHeadData,     Question::kTrials,
                            Question::kCurvature};

}  // namespace

ExternalFacts describe_external(Conversation& talk, const ExternalRequest& request) {
  const Answer answer =
      talk.ask("describe", {{"settings", request.settings}, {"robots", request.robots}, {"device", request.device}});
  ExternalFacts facts;
  if (!answer.at("network").is_object()) answer.reject("\"network\" is no object");
  facts.network = answer.at("network").dump();
  if (answer.has("identity")) facts.identity = answer.text("identity");
  if (answer.has("settings")) facts.settings = answer.at("settings");
  for (const std::string& name : answer.texts("offers")) {
    const auto question = std::ranges::find(kQuestions, name, [](const auto& each) { return each.first; });
    if (question != kQuestions.end() && kSpoken.contains(question->second)) {
      facts.offers = facts.offers | Questions{question->second};
    } else if (name == "joint") {
      facts.joint = true;
    } else if (name == "finetune") {
      facts.finetune = true;
    } else if (name == "save") {
      facts.states = true;
    } else {
      answer.reject(cat("\"offers\" names ", name, ", which this version of the protocol does not know"));
    }
  }
  // Steps are taken here, where the gradient is.
  if (facts.offers.contains(Question::kLossGradient)) facts.offers = facts.offers | Questions{Question::kSteps};
  if (answer.has("batch")) facts.batch = static_cast<int>(answer.whole("batch", 1, 1'000'000'000));
  facts.carries = answer.has("moments");
  if (facts.carries) {
    for (const std::string& kind : answer.texts("moments")) {
      if (kind != "linear" && kind != "square")
        answer.reject(cat("\"moments\" holds \"", kind, "\", expected linear or square"));
      facts.moments.push_back(kind == "square");
    }
  }
  facts.quadratic = answer.flag("quadratic");
  if (answer.has("samples")) facts.samples = answer.whole("samples", 0, kMost);
  if (answer.has("robot_bytes")) facts.robot_bytes = answer.whole("robot_bytes", 0, kMost);
  return facts;
}

std::unique_ptr<Workload> make_external_workload(std::shared_ptr<Conversation> talk, const ExternalFacts& facts,
                                                 const ExternalRequest& request) {
  return std::make_unique<ExternalWorkload>(std::move(talk), facts, request);
}

}  // namespace fleet
