/* Sums over a tile of TILE examples by a vector of units stay in registers. The compiler does not
 * find this in plain loops, so it is said with the vector type of GCC and Clang. */

#ifndef TILE
#define TILE 10
#endif
#define WIDTH 8
#define VECTORS (H / WIDTH)
_Static_assert(ROWS % TILE == 0 && H % WIDTH == 0, "tiles must fit");
typedef double vector __attribute__((vector_size(8 * WIDTH), aligned(8)));
#define EACH_ROW _Pragma("GCC unroll 16") for (int t = 0; t < TILE; t++)
#define EACH_VECTOR for (int v = 0; v < VECTORS; v++)
#define AT(array, v) (((vector *)(array))[v])

static inline vector positive(vector z) { return (vector)((z > 0) & (__typeof__(z > 0))z); }

/* z where a > 0, else 0 */
static inline vector where(vector a, vector z)
{
    return (vector)((a > 0) & (__typeof__(a > 0))z);
}

/* out[t][j] = start[j] + sum over i of m[i][j] * in[t][i] */
static inline void times(double m[H][H], double in[TILE][H], double *start, double out[TILE][H])
{
    EACH_VECTOR {
        vector sum[TILE];
        EACH_ROW sum[t] = AT(start, v);
        for (int i = 0; i < H; i++) {
            vector w = AT(m[i], v);
            EACH_ROW sum[t] += w * in[t][i];
        }
        EACH_ROW AT(out[t], v) = sum[t];
    }
}

static double gradient(void)
{
    static double zeros[H];
    double total = 0;
    memset(&g, 0, sizeof g);
    for (int r = 0; r < ROWS; r += TILE) {
        double a1[TILE][H], a2[TILE][H], d1[TILE][H], d2[TILE][H], d[TILE];
        EACH_VECTOR {
            vector w0 = AT(p.w1[0], v), w1 = AT(p.w1[1], v), b = AT(p.b1, v);
            EACH_ROW AT(a1[t], v) = positive(b + w0 * X[r + t][0] + w1 * X[r + t][1]);
        }
        times(p.w2, a1, p.b2, a2);
        EACH_ROW {
            vector part = {0};
            EACH_VECTOR {
                AT(a2[t], v) = positive(AT(a2[t], v));
                part += AT(p.w3, v) * AT(a2[t], v);
            }
            double score = p.b3;
            for (int l = 0; l < WIDTH; l++)
                score += part[l];
            double margin = 1 - Y[r + t] * score;
            total += margin > 0 ? margin : 0;
            d[t] = margin > 0 ? -Y[r + t] : 0;
            g.b3 += d[t];
        }
        EACH_VECTOR {
            vector w = AT(p.w3, v), to_w = AT(g.w3, v), to_b = AT(g.b2, v);
            EACH_ROW {
                vector a = AT(a2[t], v), delta = where(a, w * d[t]);
                to_w += a * d[t];
                to_b += delta;
                AT(d2[t], v) = delta;
            }
            AT(g.w3, v) = to_w;
            AT(g.b2, v) = to_b;
        }
        EACH_VECTOR {
            vector delta[TILE];
            EACH_ROW delta[t] = AT(d2[t], v);
            for (int k = 0; k < H; k++) {
                vector sum = AT(g.w2[k], v);
                EACH_ROW sum += delta[t] * a1[t][k];
                AT(g.w2[k], v) = sum;
            }
        }
        times(w2_back, d2, zeros, d1);
        EACH_VECTOR {
            vector to_b = AT(g.b1, v), to_w0 = AT(g.w1[0], v), to_w1 = AT(g.w1[1], v);
            EACH_ROW {
                vector delta = where(AT(a1[t], v), AT(d1[t], v));
                to_b += delta;
                to_w0 += delta * X[r + t][0];
                to_w1 += delta * X[r + t][1];
            }
            AT(g.b1, v) = to_b;
            AT(g.w1[0], v) = to_w0;
            AT(g.w1[1], v) = to_w1;
        }
    }
    return total;
}
