/* Plain loops over a block of LANES examples; each weight is read once a block. */

#ifndef LANES
#define LANES 8
#endif
#define BLOCKS ((ROWS + LANES - 1) / LANES)
#define EACH_LANE for (int l = 0; l < LANES; l++)

/* Sums of gradients stay apart by lane until the last block is done. */
static double s_w1[2][H][LANES], s_b1[H][LANES], s_w2[H][H][LANES], s_b2[H][LANES],
    s_w3[H][LANES], s_b3[LANES];

static double across(const double *lanes)
{
    double sum = 0;
    EACH_LANE sum += lanes[l];
    return sum;
}

static double gradient(void)
{
    double total[LANES] = {0};
    memset(s_w1, 0, sizeof s_w1); memset(s_b1, 0, sizeof s_b1);
    memset(s_w2, 0, sizeof s_w2); memset(s_b2, 0, sizeof s_b2);
    memset(s_w3, 0, sizeof s_w3); memset(s_b3, 0, sizeof s_b3);
    for (int block = 0; block < BLOCKS; block++) {
        double x0[LANES], x1[LANES], y[LANES], use[LANES], d[LANES], score[LANES];
        double a1[H][LANES], a2[H][LANES], d1[H][LANES];
        EACH_LANE {
            int r = block * LANES + l, inside = r < ROWS;
            r = inside ? r : ROWS - 1;
            x0[l] = X[r][0]; x1[l] = X[r][1]; y[l] = Y[r]; use[l] = inside;
        }
        for (int j = 0; j < H; j++)
            EACH_LANE {
                double z = p.b1[j] + p.w1[0][j] * x0[l] + p.w1[1][j] * x1[l];
                a1[j][l] = z > 0 ? z : 0;
            }
        for (int j = 0; j < H; j++) {
            double z[LANES];
            EACH_LANE z[l] = p.b2[j];
            for (int k = 0; k < H; k++)
                EACH_LANE z[l] += w2_back[j][k] * a1[k][l];
            EACH_LANE a2[j][l] = z[l] > 0 ? z[l] : 0;
        }
        EACH_LANE score[l] = p.b3;
        for (int j = 0; j < H; j++)
            EACH_LANE score[l] += p.w3[j] * a2[j][l];
        EACH_LANE {
            double margin = 1 - y[l] * score[l];
            int wrong = margin > 0;
            total[l] += wrong ? margin * use[l] : 0;
            d[l] = wrong ? -y[l] * use[l] : 0;
            s_b3[l] += d[l];
        }
        memset(d1, 0, sizeof d1);
        for (int j = 0; j < H; j++) {
            double d2[LANES];
            EACH_LANE {
                s_w3[j][l] += d[l] * a2[j][l];
                d2[l] = a2[j][l] > 0 ? d[l] * p.w3[j] : 0;
                s_b2[j][l] += d2[l];
            }
            for (int k = 0; k < H; k++)
                EACH_LANE {
                    s_w2[j][k][l] += d2[l] * a1[k][l];
                    d1[k][l] += d2[l] * w2_back[j][k];
                }
        }
        for (int k = 0; k < H; k++)
            EACH_LANE {
                double dz = a1[k][l] > 0 ? d1[k][l] : 0;
                s_b1[k][l] += dz;
                s_w1[0][k][l] += dz * x0[l];
                s_w1[1][k][l] += dz * x1[l];
            }
    }
    for (int k = 0; k < H; k++) {
        for (int j = 0; j < H; j++)
            g.w2[k][j] = across(s_w2[j][k]);
        g.w1[0][k] = across(s_w1[0][k]);
        g.w1[1][k] = across(s_w1[1][k]);
        g.b1[k] = across(s_b1[k]);
        g.b2[k] = across(s_b2[k]);
        g.w3[k] = across(s_w3[k]);
    }
    g.b3 = across(s_b3);
    return across(total);
}
