/* The moons step by hand: a 2-H-H-1 network with relu, hinge loss, penalty, gradient step.
 *
 * Compiled with H, ROWS, PARAMETERS, RATE and ALPHA defined, and LAYOUT the file with gradient(),
 * of which there are three: they differ in what the vector instructions run over. Examples already
 * right go backward too, as they do everywhere else: a branch around them would time a trained
 * network at a quarter of an untrained one.
 * Parameters come and go in micrograd's order (per neuron its weights, then its bias).
 */
#include <string.h>

static double X[ROWS][2], Y[ROWS];

/* Weights stand as [input][unit], with a second copy as [unit][input] for the way back. */
static struct weights {
    double w1[2][H], b1[H], w2[H][H], b2[H], w3[H], b3;
} p, g;

static double w2_back[H][H];

/* Calls f(number in struct, number outside) for every parameter, in micrograd's order. */
#define EACH(f)                                             \
    do {                                                    \
        int n = 0;                                          \
        for (int j = 0; j < H; j++) {                       \
            f(p.w1[0][j], n); n++;                          \
            f(p.w1[1][j], n); n++;                          \
            f(p.b1[j], n); n++;                             \
        }                                                   \
        for (int j = 0; j < H; j++) {                       \
            for (int k = 0; k < H; k++) { f(p.w2[k][j], n); n++; } \
            f(p.b2[j], n); n++;                             \
        }                                                   \
        for (int k = 0; k < H; k++) { f(p.w3[k], n); n++; } \
        f(p.b3, n);                                         \
    } while (0)

static void copy_back(void)
{
    for (int j = 0; j < H; j++)
        for (int k = 0; k < H; k++)
            w2_back[j][k] = p.w2[k][j];
}

void set(const double *rows, const double *labels, const double *parameters)
{
    memcpy(X, rows, sizeof X);
    memcpy(Y, labels, sizeof Y);
#define IN(place, n) place = parameters[n]
    EACH(IN);
    copy_back();
}

void get(double *parameters)
{
#define OUT(place, n) parameters[n] = place
    EACH(OUT);
}

#include LAYOUT

/* Gradients of the hinge losses, summed over the rows, `times` times over. */
double kernel(int times)
{
    double total = 0;
    for (int i = 0; i < times; i++) {
        total = gradient();
        __asm__ volatile("" ::: "memory"); /* or the compiler lifts the work out of the loop */
    }
    return total / ROWS;
}

/* Whole steps; returns the last one's loss, as it was before its update. */
double steps(int times)
{
    double loss = 0;
    for (int i = 0; i < times; i++) {
        loss = gradient() / ROWS;
        double *parameter = (double *)&p;
        const double *slope = (const double *)&g;
        double squares = 0;
        for (int n = 0; n < PARAMETERS; n++) {
            squares += parameter[n] * parameter[n];
            parameter[n] -= RATE * (slope[n] / ROWS + 2 * ALPHA * parameter[n]);
        }
        loss += ALPHA * squares;
        copy_back();
    }
    return loss;
}
