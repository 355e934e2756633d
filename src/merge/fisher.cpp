#include "merge/fisher.hpp"

#include <algorithm>

#include "merge/alignment.hpp"
#include "merge/consensus.hpp"

namespace fleet {
namespace {

/// theta = sum_i F_i theta_i / sum_i F_i, element by element, with F_i the diagonal of robot i's empirical Fisher
/// matrix (squared gradients of single samples or, as Lawson and Qureshi have it, of batches' means), scaled to a trace
/// of one (Matena and Raffel, 2022; Lawson and Qureshi, Merging Decision Transformers, 2023). Weights that no robot's
/// loss depends on are averaged as they are.
class Fisher final : public Merger {
 public:
  Fisher(Alignment align, int samples, int batch) : align_(align), samples_(samples), batch_(batch) {}

  MergerNeeds needs() const override {
    const bool layers = align_ == Alignment::kActivations;
    return {.layers = layers,
            .asks = Questions{Question::kLossGradient} | questions_of(align_),
            .key = layers ? "merge.fisher.align" : "merge.method",
            .exchange = exchange_of(align_),
            .between = layers};
  }

  MergeOutcome merge(const MergeInput& input, const Comm& comm) override {
    MergeOutcome outcome{.merged = ParamVector(input.symmetry->layout())};
    outcome.elements = align_fleet(align_, input, comm);
    outcome.merged = aligned_mean(input, outcome.elements, true, comm);
    outcome.iterations = 1;
    if (input.participants.size() == 1) return outcome;

    std::vector<ParamVector> products;
    std::vector<ParamVector> fishers;
    comm.together([&] {
      for (std::size_t i = 0; i < input.rows.size(); ++i) {
        if (!input.rows[i].participates) continue;
        ParamVector& fisher = fishers.emplace_back(estimate(input, input.rows[i]));
        input.symmetry->apply(parts_of(outcome.elements[i]).permutations, fisher.flat());  // squares have no signs
        ParamVector& product =
            products.emplace_back(input.symmetry->apply(outcome.elements[i], *input.rows[i].weights));
        for (std::size_t w = 0; w < product.flat().size(); ++w) product.flat()[w] *= fisher.flat()[w];
      }
    });
    const ParamVector numerator = sum(products, input, comm);
    const ParamVector denominator = sum(fishers, input, comm);
    constexpr float kNegligible = 1e-20F;
    for (std::size_t w = 0; w < numerator.flat().size(); ++w) {
      if (denominator.flat()[w] > kNegligible) outcome.merged.flat()[w] = numerator.flat()[w] / denominator.flat()[w];
    }
    return outcome;
  }

 private:
  ParamVector estimate(const MergeInput& input, const MergeRow& row) const {
    RandomStream stream(input.seed, Purpose::kAlignment, static_cast<std::uint64_t>(row.robot),
                        static_cast<std::uint64_t>(input.round));
    ParamVector fisher(input.symmetry->layout());
    ParamVector gradient(input.symmetry->layout());
    double trace = 0.0;
    for (int n = 0; n < samples_; n += batch_) {
      row.data->loss_gradient(*row.weights, std::min(batch_, samples_ - n), stream, gradient);
      for (std::size_t w = 0; w < fisher.flat().size(); ++w) {
        const float square = gradient.flat()[w] * gradient.flat()[w];
        fisher.flat()[w] += square;
        trace += static_cast<double>(square);
      }
    }
    if (trace > 0.0) {
      for (float& f : fisher.flat()) f = static_cast<float>(static_cast<double>(f) / trace);
    }
    return fisher;
  }

  static ParamVector sum(const std::vector<ParamVector>& vectors, const MergeInput& input, const Comm& comm) {
    std::vector<Comm::Term> terms;
    for (const ParamVector& vector : vectors) terms.push_back({vector.flat(), 1.0});
    ParamVector total(input.symmetry->layout());
    comm.ordered_sum(terms, total.flat());
    charge(input, Cargo::kMoments, {.sent = model_bytes(input), .received = model_bytes(input)});
    return total;
  }

  Alignment align_;
  int samples_;
  int batch_;
};

}  // namespace

std::unique_ptr<Merger> make_fisher(SettingsReader& settings) {
  Alignment align = Alignment::kNone;
  int samples = 1000;
  settings.read("merge.fisher.align", align, Names<Alignment>(kAlignments),
                "How policies are permuted before they are averaged.");
  settings.read("merge.fisher.samples", samples, between(1, 1e6),
                "Samples of each robot from which its Fisher information is estimated.");
  int batch = 1;
  settings.read("merge.fisher.batch", batch, between(1, 1e6),
                "Samples whose mean gradient is squared; 1 is the diagonal of the Fisher information.");
  return std::make_unique<Fisher>(align, samples, batch);
}

}  // namespace fleet
